using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Rope;

/// <summary>
/// Turns the heads of some tokens. Half-split pairs are two contiguous halves. Interleaved ones are done as
/// y[i] = x[i] · cos[i / 2] ∓ x[i xor 1] · sin[i / 2] with cosines and signed sines laid out once per token; the neighbor x[i xor 1]
/// is picked from loads one element to either side, from a padded copy of the head.
/// </summary>
internal unsafe struct RopeWork : ILaneWork
{
    private const int LargestLaneBytes = 64;

    public byte* X;
    public byte* Y;
    public byte* Table;
    public int* Positions;
    public long XBatch;
    public long XTime;
    public long XHead;
    public long YBatch;
    public long YTime;
    public long YHead;
    public long TableStride;
    public long LastPosition;
    public long Tokens;
    public int TokensPerItem;
    public int Time;
    public int Heads;
    public int HeadDim;
    public bool Interleaved;
    public bool Inverse;
    public bool Accumulate;
    public CpuContext Context;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size();
        byte* scratch = Interleaved ? (byte*)Context.Scratch(worker, 4L * (HeadDim * size + 2 * LargestLaneBytes)) : null;
        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            long b = token / Time, t = token - b * Time;
            long position = Math.Min((Positions is null ? 0 : Positions[b]) + t, LastPosition);
            byte* cosines = Table + position * TableStride * size;
            byte* sines = cosines + HeadDim / 2 * size;
            byte* x = X + (b * XBatch + t * XTime) * size;
            byte* y = Y + (b * YBatch + t * YTime) * size;
            if (Interleaved)
            {
                Interleave<V>(x, y, cosines, sines, scratch);
                continue;
            }

            for (int head = 0; head < Heads; head++)
            {
                Halves<V>(x + head * XHead * size, y + head * YHead * size, cosines, sines);
            }
        }
    }

    private readonly void Halves<V>(byte* x, byte* y, byte* cosines, byte* sines)
        where V : struct, ICpuLane<V>
    {
        nint half = HeadDim / 2, i = 0;
        V sign = V.Constant(Inverse ? -1 : 1);
        bool accumulate = Accumulate;
        for (; i <= half - V.Width; i += V.Width)
        {
            Turn<V, Whole<V>>(x, y, cosines, sines, sign, half, accumulate, i, 0);
        }

        if (i < half)
        {
            Turn<V, Part<V>>(x, y, cosines, sines, sign, half, accumulate, i, (int)(half - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn<V, P>(void* x, void* y, void* cosines, void* sines, V sign, nint half, bool accumulate, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V a = P.Load(x, i, count), b = P.Load(x, i + half, count);
        V cos = P.Load(cosines, i, count), sin = P.Load(sines, i, count) * sign;
        V first = a * cos - b * sin, second = V.MultiplyAdd(a, sin, b * cos);
        P.Store(y, i, count, accumulate ? first + P.Load(y, i, count) : first);
        P.Store(y, i + half, count, accumulate ? second + P.Load(y, i + half, count) : second);
    }

    private readonly void Interleave<V>(byte* x, byte* y, byte* cosines, byte* sines, byte* scratch)
        where V : struct, ICpuLane<V>
    {
        int size = V.Type.Size(), row = HeadDim * size + 2 * LargestLaneBytes;
        byte* cos = scratch, sin = scratch + row, isEven = scratch + 2 * row, copy = scratch + 3 * row + LargestLaneBytes;
        double sign = Inverse ? -1 : 1;
        for (int i = 0; i < HeadDim; i += 2)
        {
            double c = Element.Get<V>(cosines, i / 2), s = Element.Get<V>(sines, i / 2) * sign;
            Element.Set<V>(cos, i, c);
            Element.Set<V>(cos, i + 1, c);
            Element.Set<V>(sin, i, -s);
            Element.Set<V>(sin, i + 1, s);
            Element.Set<V>(isEven, i, 1);
            Element.Set<V>(isEven, i + 1, 0);
        }

        bool accumulate = Accumulate;
        for (int head = 0; head < Heads; head++)
        {
            Buffer.MemoryCopy(x + head * XHead * size, copy, HeadDim * size, HeadDim * size);
            byte* target = y + head * YHead * size;
            nint i = 0, width = HeadDim;
            for (; i <= width - V.Width; i += V.Width)
            {
                Swap<V, Whole<V>>(copy, target, cos, sin, isEven, accumulate, i, 0);
            }

            if (i < width)
            {
                Swap<V, Part<V>>(copy, target, cos, sin, isEven, accumulate, i, (int)(width - i));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Swap<V, P>(void* x, void* y, void* cos, void* sin, void* isEven, bool accumulate, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V neighbor = V.SelectGreater(P.Load(isEven, i, count), V.Constant(0), P.Load(x, i + 1, count), P.Load(x, i - 1, count));
        V value = V.MultiplyAdd(neighbor, P.Load(sin, i, count), P.Load(x, i, count) * P.Load(cos, i, count));
        P.Store(y, i, count, accumulate ? value + P.Load(y, i, count) : value);
    }
}
