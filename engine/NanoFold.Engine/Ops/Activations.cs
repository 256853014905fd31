using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>σ(x) = 1 / (1 + e⁻ˣ).</summary>
public readonly struct Sigmoid : IActivation
{
    public static string Name => "sigmoid";

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

/// <summary>GELU with tanh, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) = x · σ(2u) (arXiv 1606.08415).</summary>
public readonly struct Gelu : IActivation
{
    private const double TwiceRootTwoOverPi = 1.5957691216057308;
    private const double Cubic = 0.044715;

    public static string Name => "gelu";

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

/// <summary>max(x, 0); derivative 0 at 0.</summary>
public readonly struct Relu : IActivation
{
    public static string Name => "relu";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => V.SelectGreater(x, V.Constant(0), x, V.Constant(0));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        derivative = V.SelectGreater(x, V.Constant(0), V.Constant(1), V.Constant(0));
        return Value(x);
    }
}

/// <summary>max(x, 0)² (Primer, arXiv 2109.08668).</summary>
public readonly struct SquaredRelu : IActivation
{
    public static string Name => "relu2";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
    {
        V positive = default(Relu).Value(x);
        return positive * positive;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        V positive = default(Relu).Value(x);
        derivative = V.Constant(2) * positive;
        return positive * positive;
    }
}
