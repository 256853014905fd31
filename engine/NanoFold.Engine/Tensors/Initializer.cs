namespace NanoFold.Engine.Tensors;

/// <summary>How a parameter starts: normal with a standard deviation, uniform within a bound, one constant, given values, or as rates and steps of a recurrence do.</summary>
/// <param name="Kind">Which of these.</param>
/// <param name="Value">The constant, the deviation, the bound, the low end of a range, or a count.</param>
/// <param name="High">The high end of a range.</param>
public readonly record struct Initializer(InitializerKind Kind, double Value, double High = 0)
{
    /// <summary>The values themselves, row by row, begun again where there are too few of them; null where they follow from the rest.</summary>
    public IReadOnlyList<double>? Given { get; private init; }

    /// <summary>The parameter of whose rows these are the Euclidean norms; null where they follow from the rest. It is declared before.</summary>
    public Parameter? Rows { get; private init; }

    public static Initializer Zero => new(InitializerKind.Constant, 0);

    public static Initializer One => new(InitializerKind.Constant, 1);

    public static Initializer Normal(double standardDeviation) => new(InitializerKind.Normal, standardDeviation);

    /// <summary>Uniform in [−bound, bound].</summary>
    public static Initializer Uniform(double bound) => new(InitializerKind.Uniform, bound);

    /// <summary>These values, row by row, begun again where there are too few of them.</summary>
    public static Initializer Values(IReadOnlyList<double> values) => new(InitializerKind.Constant, 0) { Given = values };

    /// <summary>The Euclidean norms of the rows of a matrix, as it is when this is filled.</summary>
    public static Initializer NormsOf(Parameter matrix) => new(InitializerKind.Constant, 0) { Rows = matrix };

    /// <summary>ln u, u uniform in (low, high): a rate that is learned by its logarithm.</summary>
    public static Initializer LogOfUniform(double low, double high) => new(InitializerKind.LogOfUniform, low, high);

    /// <summary>softplus⁻¹(u), u log-uniform in (low, high): the bias of a time step.</summary>
    public static Initializer StepOfLogUniform(double low, double high) => new(InitializerKind.StepOfLogUniform, low, high);

    /// <summary>ln 1, ln 2, … ln <paramref name="count"/> along the last dimension, of that length: rates learned by their logarithms, one for each number of a state.</summary>
    public static Initializer LogOfIndex(int count) => new(InitializerKind.LogOfIndex, count);
}

public enum InitializerKind
{
    Constant,
    Normal,
    Uniform,
    LogOfUniform,
    StepOfLogUniform,
    LogOfIndex,
}
