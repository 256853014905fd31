using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>σ(x) = 1 / (1 + e⁻ˣ).</summary>
public readonly struct Sigmoid : IActivation
{
    public static string Name => "sigmoid";

    public V Value<V>(V x)
        where V : struct, ILane<V>
    {
        // From e^−|x|, so that nothing overflows: σ(x) = 1 − σ(−x).
        V e = V.Exp(-V.Abs(x));
        V one = V.Constant(1);
        V small = e / (one + e);
        return V.SelectGreater(V.Constant(0), x, small, one - small);
    }

    public V Derivative<V>(V x)
        where V : struct, ILane<V>
    {
        V s = Value(x);
        return s * (V.Constant(1) - s);
    }
}

/// <summary>SiLU, x · σ(x) (arXiv 1702.03118).</summary>
public readonly struct Silu : IActivation
{
    public static string Name => "silu";

    public V Value<V>(V x)
        where V : struct, ILane<V>
        => x * default(Sigmoid).Value(x);

    public V Derivative<V>(V x)
        where V : struct, ILane<V>
    {
        V s = default(Sigmoid).Value(x);
        return V.MultiplyAdd(x * s, V.Constant(1) - s, s);
    }
}

/// <summary>GELU with tanh, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) = x · σ(2u) (arXiv 1606.08415).</summary>
public readonly struct Gelu : IActivation
{
    private const double TwiceRootTwoOverPi = 1.5957691216057308;
    private const double Cubic = 0.044715;

    public static string Name => "gelu";

    public V Value<V>(V x)
        where V : struct, ILane<V>
        => x * default(Sigmoid).Value(Inner(x));

    public V Derivative<V>(V x)
        where V : struct, ILane<V>
    {
        V s = default(Sigmoid).Value(Inner(x));
        V slope = V.MultiplyAdd(V.Constant(3 * Cubic * TwiceRootTwoOverPi) * x, x, V.Constant(TwiceRootTwoOverPi));
        return V.MultiplyAdd(x * slope, s * (V.Constant(1) - s), s);
    }

    private static V Inner<V>(V x)
        where V : struct, ILane<V>
        => x * V.MultiplyAdd(V.Constant(Cubic * TwiceRootTwoOverPi) * x, x, V.Constant(TwiceRootTwoOverPi));
}

/// <summary>max(x, 0); derivative 0 at 0.</summary>
public readonly struct Relu : IActivation
{
    public static string Name => "relu";

    public V Value<V>(V x)
        where V : struct, ILane<V>
        => V.SelectGreater(x, V.Constant(0), x, V.Constant(0));

    public V Derivative<V>(V x)
        where V : struct, ILane<V>
        => V.SelectGreater(x, V.Constant(0), V.Constant(1), V.Constant(0));
}

/// <summary>max(x, 0)² (Primer, arXiv 2109.08668).</summary>
public readonly struct SquaredRelu : IActivation
{
    public static string Name => "relu2";

    public V Value<V>(V x)
        where V : struct, ILane<V>
    {
        V positive = default(Relu).Value(x);
        return positive * positive;
    }

    public V Derivative<V>(V x)
        where V : struct, ILane<V>
        => V.Constant(2) * default(Relu).Value(x);
}
