using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>σ(x) = 1 / (1 + e⁻ˣ).</summary>
public readonly struct Sigmoid : IActivation
{
    public static string Name => "sigmoid";

    public static double Reference(double x) => 1 / (1 + Math.Exp(-x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
    {
        // From e^−|x|, so that nothing overflows: σ(x) = 1 − σ(−x).
        V e = V.Exp(-V.Abs(x));
        V one = V.Constant(1);
        V small = e / (one + e);
        return V.SelectGreater(V.Constant(0), x, small, one - small);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        V s = Value(x);
        derivative = s * (V.Constant(1) - s);
        return s;
    }
}

/// <summary>SiLU, x · σ(x) (arXiv 1702.03118).</summary>
public readonly struct Silu : IActivation
{
    public static string Name => "silu";

    public static double Reference(double x) => x / (1 + Math.Exp(-x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => x * default(Sigmoid).Value(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        V s = default(Sigmoid).Value(x), value = x * s;
        derivative = V.MultiplyAdd(value, V.Constant(1) - s, s);
        return value;
    }
}
