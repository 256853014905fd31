using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu;

/// <summary>A formula of up to three operands that says how many it reads; the others are not loaded.</summary>
internal interface IPointwise
{
    static abstract int Operands { get; }

    V Invoke<V>(V a, V b, V c)
        where V : struct, ILane<V>;
}

/// <summary>y = x, also for moving integers.</summary>
internal readonly struct Identity : IPointwise
{
    public static int Operands => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c)
        where V : struct, ILane<V>
        => a;
}

internal readonly struct Unary<TOp>(TOp op) : IPointwise
    where TOp : struct, IUnaryOp
{
    private readonly TOp _op = op;

    public static int Operands => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c)
        where V : struct, ILane<V>
        => _op.Invoke(a);
}

internal readonly struct Binary<TOp>(TOp op) : IPointwise
    where TOp : struct, IBinaryOp
{
    private readonly TOp _op = op;

    public static int Operands => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c)
        where V : struct, ILane<V>
        => _op.Invoke(a, b);
}

internal readonly struct Ternary<TOp>(TOp op) : IPointwise
    where TOp : struct, ITernaryOp
{
    private readonly TOp _op = op;

    public static int Operands => 3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Invoke<V>(V a, V b, V c)
        where V : struct, ILane<V>
        => _op.Invoke(a, b, c);
}
