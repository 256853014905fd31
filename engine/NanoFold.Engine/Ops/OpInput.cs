namespace NanoFold.Engine.Ops;

/// <summary>An input of an <see cref="OpCase"/>: uniform reals in [Low, High], or whole numbers in [Low, High).</summary>
public sealed record OpInput(int[] Shape, double Low = -1, double High = 1)
{
    /// <summary>An Int32 input; no gradient flows to it.</summary>
    public bool IsInteger { get; init; }

    /// <summary>Fixed values in place of random ones.</summary>
    public double[]? Values { get; init; }

    public static OpInput Real(params int[] shape) => new(shape);

    public static OpInput Integers(int high, params int[] shape) => new(shape, 0, high) { IsInteger = true };
}
