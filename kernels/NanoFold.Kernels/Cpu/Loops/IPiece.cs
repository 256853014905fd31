using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>
/// How a loop's body reaches memory: whole lanes inside the loop, the first few elements of one after it.
/// A body written over this is written once and gives the same bits wherever an element lies.
/// </summary>
public unsafe interface IPiece<V>
    where V : struct, ICpuLane<V>
{
    /// <summary>Elements after <paramref name="count"/> are 0.</summary>
    static abstract V Load(void* source, nint index, int count);

    /// <summary>Elements after <paramref name="count"/> are those of <paramref name="rest"/>.</summary>
    static abstract V LoadOr(void* source, nint index, int count, V rest);

    static abstract void Store(void* target, nint index, int count, V value);
}

/// <summary>All elements of a lane.</summary>
public readonly unsafe struct Whole<V> : IPiece<V>
    where V : struct, ICpuLane<V>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(void* source, nint index, int count) => V.Load(source, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadOr(void* source, nint index, int count, V rest) => V.Load(source, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(void* target, nint index, int count, V value) => V.Store(target, index, value);
}

/// <summary>The first elements of a lane.</summary>
public readonly unsafe struct Part<V> : IPiece<V>
    where V : struct, ICpuLane<V>
{
    private const int LargestLaneBytes = 64;

    public static V Load(void* source, nint index, int count) => V.LoadPart(source, index, count);

    public static V LoadOr(void* source, nint index, int count, V rest)
    {
        byte* lane = stackalloc byte[LargestLaneBytes];
        V.Store(lane, 0, rest);
        V.StorePart(lane, 0, count, V.LoadPart(source, index, count));
        return V.Load(lane, 0);
    }

    public static void Store(void* target, nint index, int count, V value) => V.StorePart(target, index, count, value);
}
