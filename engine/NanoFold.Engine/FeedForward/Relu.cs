using System.Runtime.CompilerServices;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.FeedForward;

/// <summary>W_down · max(W_up x, 0).</summary>
public sealed record ReluConfig : MlpConfig<Relu>
{
    public static ReluConfig Tiny => new() { Hidden = 24 };
}

/// <summary>W_down · max(W_up x, 0)².</summary>
public sealed record Relu2Config : MlpConfig<SquaredRelu>
{
    public static Relu2Config Tiny => new() { Hidden = 24 };
}

/// <summary>max(x, 0); derivative 0 at 0.</summary>
public readonly struct Relu : IActivation
{
    public static string Name => "relu";

    public static double Reference(double x) => Math.Max(x, 0);

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

    public static double Reference(double x) => x > 0 ? x * x : 0;

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
