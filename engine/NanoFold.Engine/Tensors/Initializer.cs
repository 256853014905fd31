namespace NanoFold.Engine.Tensors;

/// <summary>How a parameter starts: normal with a standard deviation, uniform within a bound, or one constant.</summary>
public readonly record struct Initializer(InitializerKind Kind, double Value)
{
    public static Initializer Zero => new(InitializerKind.Constant, 0);

    public static Initializer One => new(InitializerKind.Constant, 1);

    public static Initializer Normal(double standardDeviation) => new(InitializerKind.Normal, standardDeviation);

    /// <summary>Uniform in [−bound, bound].</summary>
    public static Initializer Uniform(double bound) => new(InitializerKind.Uniform, bound);
}

public enum InitializerKind
{
    Constant,
    Normal,
    Uniform,
}
