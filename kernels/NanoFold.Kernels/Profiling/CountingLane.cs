using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Profiling;

/// <summary>
/// A lane that only counts: what a formula costs is found by running it once. A multiply-add counts two; changes of sign and constants
/// nothing; an exponential or a logarithm what its polynomial takes.
/// </summary>
internal readonly struct CountingLane : IFloatLane<CountingLane>
{
    [ThreadStatic]
    private static int s_flops;

    /// <summary>FLOPs of what <paramref name="formula"/> does.</summary>
    public static int Count(Action formula)
    {
        s_flops = 0;
        formula();
        return s_flops;
    }

    public static CountingLane Constant(double value) => default;

    public static CountingLane operator +(CountingLane a, CountingLane b) => Flops(1);

    public static CountingLane operator -(CountingLane a, CountingLane b) => Flops(1);

    public static CountingLane operator *(CountingLane a, CountingLane b) => Flops(1);

    public static CountingLane operator /(CountingLane a, CountingLane b) => Flops(1);

    public static CountingLane operator -(CountingLane a) => default;

    public static CountingLane MultiplyAdd(CountingLane a, CountingLane b, CountingLane c) => Flops(2);

    public static CountingLane Max(CountingLane a, CountingLane b) => Flops(1);

    public static CountingLane Min(CountingLane a, CountingLane b) => Flops(1);

    public static CountingLane Abs(CountingLane a) => default;

    public static CountingLane Sqrt(CountingLane a) => Flops(1);

    public static CountingLane Exp(CountingLane a) => FloatMath.Exp(a);

    public static CountingLane Tanh(CountingLane a) => FloatMath.Tanh(a);

    public static CountingLane Log(CountingLane a) => FloatMath.Log(a);

    public static CountingLane Erfc(CountingLane a) => FloatMath.Erfc(a);

    public static CountingLane SelectGreater(CountingLane a, CountingLane b, CountingLane ifGreater, CountingLane otherwise) => Flops(1);

    static CountingLane IFloatLane<CountingLane>.AddToExponent(CountingLane a, CountingLane shifted) => Flops(1);

    static CountingLane IFloatLane<CountingLane>.SplitExponent(CountingLane a, out CountingLane exponent)
    {
        exponent = default;
        return Flops(2);
    }

    private static CountingLane Flops(int count)
    {
        s_flops += count;
        return default;
    }
}
