using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>An input of an <see cref="OpCase"/>: uniform reals in [Low, High], or whole numbers in [Low, High).</summary>
public sealed record OpInput(int[] Shape, double Low = -1, double High = 1)
{
    /// <summary>An Int32 input; no gradient flows to it.</summary>
    public bool IsInteger { get; init; }

    /// <summary>Fixed values in place of random ones.</summary>
    public double[]? Values { get; init; }

    /// <summary>What random values are multiples of, 0 for any value.</summary>
    public double Step { get; init; }

    /// <summary>
    /// A parameter of a model: gradients are added to its own, which is in single precision where activations have 16 bits. The gradient of any other
    /// input is overwritten, which is faster.
    /// </summary>
    public bool IsWeight { get; init; }

    /// <summary>A table that stays in single precision where activations have 16 bits.</summary>
    public bool IsTable { get; init; }

    /// <summary>The type of the input where activations have the type given.</summary>
    public DType TypeFor(DType activations) => IsInteger ? DType.Int32 : IsTable ? activations.Sum() : activations;

    public static OpInput Real(params int[] shape) => new(shape);

    public static OpInput Weight(params int[] shape) => new(shape) { IsWeight = true };

    public static OpInput Integers(int high, params int[] shape) => new(shape, 0, high) { IsInteger = true };

    /// <summary>The fixed values, or random ones that depend on the key only, each exact in float32.</summary>
    public double[] Draw(ulong key)
    {
        if (Values is { } values)
        {
            return values;
        }

        var drawn = new double[Shape.Aggregate(1L, (product, n) => product * n)];
        for (int i = 0; i < drawn.Length; i++)
        {
            drawn[i] = Draw(key, i);
        }

        return drawn;
    }

    private double Draw(ulong key, int element)
    {
        if (IsInteger)
        {
            return Low + Philox.Below((ulong)(High - Low), key, (ulong)element, 0);
        }

        double value = Low + (High - Low) * (Philox.Below(1UL << 53, key, (ulong)element, 0) / (double)(1L << 53));
        return Step > 0 ? Math.Round(value / Step) * Step : (float)value;
    }
}
