using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>h_t = a_t ⊙ c_t h_{t−1} + x_t over some channels of one row, place after place; the state is read where the place before wrote it.</summary>
internal unsafe struct ScanWork : ILaneWork
{
    public Walk Walk;
    public Steps A;
    public Steps X;
    public Steps H;
    public byte* Initial;
    public byte* Final;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        Walk.Item(item, out int row, out int channel, out int channels);
        if (A.IsOneForAll)
        {
            Row<V, OneForAll<V>, OneForAll<V>>(row, channel, channels);
        }
        else
        {
            Row<V, PerChannel<V, Whole<V>>, PerChannel<V, Part<V>>>(row, channel, channels);
        }
    }

    private readonly void Row<V, TWhole, TPart>(int row, int channel, int channels)
        where V : struct, ICpuLane<V>
        where TWhole : struct, IFactor<V>
        where TPart : struct, IFactor<V>
    {
        int count = Walk.Count(row), bytes = channels * V.Type.Size();
        byte* before = Walk.State(Initial, row, channel), final = Walk.State(Final, row, channel);
        for (int step = 0; step < count; step++)
        {
            int place = Walk.Place(step, count);
            double carries = Walk.Carries(row, step, count);
            byte* a = A.At(row, place, channel), x = X.At(row, place, channel), h = H.At(row, place, channel);
            before = carries == 0 ? null : before;
            V factor = V.Constant(carries);
            nint i = 0, width = channels;
            for (; i <= width - V.Width; i += V.Width)
            {
                Lane<V, TWhole, Whole<V>>(a, x, h, before, factor, i, 0);
            }

            if (i < width)
            {
                Lane<V, TPart, Part<V>>(a, x, h, before, factor, i, (int)(width - i));
            }

            before = h;
        }

        for (int place = count; place < Walk.Time; place++)
        {
            new Span<byte>(H.At(row, place, channel), bytes).Clear();
        }

        if (final is not null && before is not null)
        {
            new Span<byte>(before, bytes).CopyTo(new Span<byte>(final, bytes));
        }
        else if (final is not null)
        {
            new Span<byte>(final, bytes).Clear();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Lane<V, TA, P>(byte* a, byte* x, byte* h, byte* before, V factor, nint i, int count)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
        where P : struct, IPiece<V>
    {
        V value = P.Load(x, i, count);
        P.Store(h, i, count, before is null ? value : V.MultiplyAdd(TA.Load(a, i, count), P.Load(before, i, count) * factor, value));
    }
}
