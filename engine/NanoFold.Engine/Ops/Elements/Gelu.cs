using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>GELU, x · Φ(x) = ½ x · erfc(−x/√2) (arXiv 1606.08415).</summary>
public readonly struct Gelu : IActivation
{
    private const double RootHalf = 0.70710678118654752;
    private const double OneOverRootTwoPi = 0.39894228040143268;

    public static string Name => "gelu";

    /// <summary>By the series of Φ whose terms are all positive.</summary>
    public static double Reference(double x)
    {
        double term = x, sum = 0;
        for (int n = 1; n < 200; n++)
        {
            sum += term;
            term *= x * x / (2 * n + 1);
        }

        return x * (0.5 + OneOverRootTwoPi * Math.Exp(-x * x / 2) * sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => x * Cumulative(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        V cumulative = Cumulative(x);
        derivative = V.MultiplyAdd(x * V.Constant(OneOverRootTwoPi), V.Exp(V.Constant(-0.5) * x * x), cumulative);
        return x * cumulative;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Cumulative<V>(V x)
        where V : struct, ILane<V>
        => V.Constant(0.5) * V.Erfc(V.Constant(-RootHalf) * x);
}

/// <summary>GELU with tanh, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) = x · σ(2u) (arXiv 1606.08415).</summary>
public readonly struct GeluTanh : IActivation
{
    private const double TwiceRootTwoOverPi = 1.5957691216057308;
    private const double Cubic = 0.044715;

    public static string Name => "gelu-tanh";

    public static double Reference(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => x * default(Sigmoid).Value(Inner(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        V s = default(Sigmoid).Value(Inner(x));
        V slope = V.MultiplyAdd(V.Constant(3 * Cubic * TwiceRootTwoOverPi) * x, x, V.Constant(TwiceRootTwoOverPi));
        derivative = V.MultiplyAdd(x * slope, s * (V.Constant(1) - s), s);
        return x * s;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Inner<V>(V x)
        where V : struct, ILane<V>
        => x * V.MultiplyAdd(V.Constant(Cubic * TwiceRootTwoOverPi) * x, x, V.Constant(TwiceRootTwoOverPi));
}
