using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels;

/// <summary>A formula of up to three operands, with one or two results, that says how many; the others are not loaded or stored.</summary>
internal interface IPointwise
{
    static abstract int Operands { get; }

    static virtual bool IsPair => false;

    /// <returns>y; <paramref name="z"/> is the second result.</returns>
    V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>;
}

/// <summary>y = x, also for moving integers.</summary>
internal readonly struct Identity : IPointwise
{
    public static int Operands => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>
    {
        z = default;
        return a;
    }
}

internal readonly struct Unary<TOp>(TOp op) : IPointwise
    where TOp : struct, IUnaryOp
{
    private readonly TOp _op = op;

    public static int Operands => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>
    {
        z = default;
        return _op.Invoke(a);
    }
}

internal readonly struct Binary<TOp>(TOp op) : IPointwise
    where TOp : struct, IBinaryOp
{
    private readonly TOp _op = op;

    public static int Operands => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>
    {
        z = default;
        return _op.Invoke(a, b);
    }
}

internal readonly struct Ternary<TOp>(TOp op) : IPointwise
    where TOp : struct, ITernaryOp
{
    private readonly TOp _op = op;

    public static int Operands => 3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>
    {
        z = default;
        return _op.Invoke(a, b, c);
    }
}

internal readonly struct Pair<TOp>(TOp op) : IPointwise
    where TOp : struct, IPairOp
{
    private readonly TOp _op = op;

    public static int Operands => 3;

    public static bool IsPair => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c, out V z)
        where V : struct, ILane<V>
        => _op.Invoke(a, b, c, out z);
}
