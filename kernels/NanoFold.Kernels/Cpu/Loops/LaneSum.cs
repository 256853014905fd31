using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>One term of a sum over a row, from up to three rows and a constant. Where fewer elements than a lane are left, the others must come out as 0.</summary>
public unsafe interface ITerm
{
    static abstract V At<V, P>(void* a, void* b, void* c, V k, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>;
}

/// <summary>
/// Sums over a row: four accumulators hide the latency of the additions; every <see cref="Chunk"/> elements go into a double,
/// so that long rows lose no accuracy. The order depends on the row's length and the lane only.
/// </summary>
public static unsafe class LaneSum
{
    public const int Chunk = 2048;

    public static double Of<TTerm, V>(void* a, void* b, void* c, V k, nint width)
        where TTerm : struct, ITerm
        where V : struct, ICpuLane<V>
    {
        double total = 0;
        for (nint start = 0; start < width; start += Chunk)
        {
            nint end = Math.Min(start + Chunk, width);
            V s0 = V.Constant(0), s1 = s0, s2 = s0, s3 = s0;
            nint i = start;
            for (; i <= end - 4 * V.Width; i += 4 * V.Width)
            {
                s0 += TTerm.At<V, Whole<V>>(a, b, c, k, i, 0);
                s1 += TTerm.At<V, Whole<V>>(a, b, c, k, i + V.Width, 0);
                s2 += TTerm.At<V, Whole<V>>(a, b, c, k, i + 2 * V.Width, 0);
                s3 += TTerm.At<V, Whole<V>>(a, b, c, k, i + 3 * V.Width, 0);
            }

            for (; i <= end - V.Width; i += V.Width)
            {
                s0 += TTerm.At<V, Whole<V>>(a, b, c, k, i, 0);
            }

            s0 = s0 + s1 + (s2 + s3);
            if (i < end)
            {
                s0 += TTerm.At<V, Part<V>>(a, b, c, k, i, (int)(end - i));
            }

            total += V.Sum(s0);
        }

        return total;
    }

    /// <summary>a.</summary>
    public readonly struct Plain : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V At<V, P>(void* a, void* b, void* c, V k, nint i, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
            => P.Load(a, i, count);
    }

    /// <summary>a².</summary>
    public readonly struct Square : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V At<V, P>(void* a, void* b, void* c, V k, nint i, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
        {
            V x = P.Load(a, i, count);
            return x * x;
        }
    }

    /// <summary>(a − k)².</summary>
    public readonly struct CenteredSquare : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V At<V, P>(void* a, void* b, void* c, V k, nint i, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
        {
            V x = P.LoadOr(a, i, count, k) - k;
            return x * x;
        }
    }

    /// <summary>a · b.</summary>
    public readonly struct Product : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V At<V, P>(void* a, void* b, void* c, V k, nint i, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
            => P.Load(a, i, count) * P.Load(b, i, count);
    }

    /// <summary>(a − k) · b.</summary>
    public readonly struct CenteredProduct : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V At<V, P>(void* a, void* b, void* c, V k, nint i, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
            => (P.Load(a, i, count) - k) * P.Load(b, i, count);
    }

    /// <summary>(a − k) · b · c.</summary>
    public readonly struct CenteredTripleProduct : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V At<V, P>(void* a, void* b, void* c, V k, nint i, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
            => (P.Load(a, i, count) - k) * (P.Load(b, i, count) * P.Load(c, i, count));
    }
}
