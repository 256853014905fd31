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
        => LaneFormulas.Sigmoid(x);

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

/// <summary>The hyperbolic tangent.</summary>
public readonly struct Tanh : IActivation
{
    public static string Name => "tanh";

    public static double Reference(double x) => Math.Tanh(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => V.Tanh(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        // 4e/(1 + e)² with e = e^−2|x|, which loses no digits where 1 − tanh² does.
        V e = V.Exp(V.Constant(-2) * V.Abs(x)), sum = V.Constant(1) + e;
        derivative = V.Constant(4) * e / (sum * sum);
        return V.Tanh(x);
    }
}

/// <summary>ln(1 + eˣ); small values stay exact to their own size.</summary>
public readonly struct Softplus : IActivation
{
    public static string Name => "softplus";

    public static double Reference(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => LaneFormulas.Softplus(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        derivative = default(Sigmoid).Value(x);
        return Value(x);
    }
}

/// <summary>ln σ(x) = −ln(1 + e⁻ˣ).</summary>
public readonly struct LogSigmoid : IActivation
{
    public static string Name => "log-sigmoid";

    public static double Reference(double x) => Math.Min(x, 0) - Math.Log(1 + Math.Exp(-Math.Abs(x)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => -default(Softplus).Value(-x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        derivative = default(Sigmoid).Value(-x);
        return Value(x);
    }
}

/// <summary>elu(x) + 1, which is positive: x + 1 where x is positive, eˣ elsewhere (the feature map of arXiv 2006.16236).</summary>
public readonly struct EluPlusOne : IActivation
{
    public static string Name => "elu-plus-one";

    public static double Reference(double x) => x > 0 ? x + 1 : Math.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => Value(x, out _);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
    {
        V zero = V.Constant(0), one = V.Constant(1), power = V.Exp(V.Min(x, zero));
        derivative = V.SelectGreater(x, zero, one, power);
        return V.SelectGreater(x, zero, x + one, power);
    }
}

/// <summary>−eˣ, the rate of a decay that is learned by its logarithm.</summary>
public readonly struct NegativeExp : IActivation
{
    public static string Name => "negative-exp";

    public static double Reference(double x) => -Math.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => -V.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
        => derivative = Value(x);
}

/// <summary>eˣ, a decay of its logarithm.</summary>
public readonly struct Exponential : IActivation
{
    public static string Name => "exponential";

    public static double Reference(double x) => Math.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x)
        where V : struct, ILane<V>
        => V.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<V>(V x, out V derivative)
        where V : struct, ILane<V>
        => derivative = Value(x);
}
