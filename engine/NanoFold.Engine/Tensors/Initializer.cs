namespace NanoFold.Engine.Tensors;

/// <summary>How a parameter starts: normal with a standard deviation, uniform within a bound, one constant, or given values.</summary>
public readonly record struct Initializer(InitializerKind Kind, double Value)
{
    /// <summary>The values themselves, row by row, begun again where there are too few of them; null where they follow from the rest.</summary>
    public IReadOnlyList<double>? Given { get; private init; }

    public static Initializer Zero => new(InitializerKind.Constant, 0);

    public static Initializer One => new(InitializerKind.Constant, 1);

    public static Initializer Normal(double standardDeviation) => new(InitializerKind.Normal, standardDeviation);

    /// <summary>Uniform in [−bound, bound].</summary>
    public static Initializer Uniform(double bound) => new(InitializerKind.Uniform, bound);

    /// <summary>These values, row by row, begun again where there are too few of them.</summary>
    public static Initializer Values(IReadOnlyList<double> values) => new(InitializerKind.Constant, 0) { Given = values };
}

public enum InitializerKind
{
    Constant,
    Normal,
    Uniform,
}
