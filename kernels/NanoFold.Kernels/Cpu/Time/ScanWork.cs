using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>h_t = a_t ⊙ c_t h_{t−1} + x_t over some channels of one row.</summary>
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
            All<V, OneForAll<V>, OneForAll<V>>(row, channel, channels);
        }
        else
        {
            All<V, PerChannel<V, Whole<V>>, PerChannel<V, Part<V>>>(row, channel, channels);
        }

        for (int place = Walk.Count(row); place < Walk.Time; place++)
        {
            new Span<byte>(H.At(row, place, channel), channels * V.Type.Size()).Clear();
        }
    }

    private readonly void All<V, TWhole, TPart>(int row, int channel, int channels)
        where V : struct, ICpuLane<V>
        where TWhole : struct, IFactor<V>
        where TPart : struct, IFactor<V>
    {
        for (; channels >= 4 * V.Width; channel += 4 * V.Width, channels -= 4 * V.Width)
        {
            Four<V, TWhole>(row, channel);
        }

        for (; channels > 0; channel += V.Width, channels -= V.Width)
        {
            One<V, TPart>(row, channel, Math.Min(V.Width, channels));
        }
    }

    /// <summary>Four lanes of channels side by side.</summary>
    private readonly void Four<V, TA>(int row, int channel)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
    {
        nint width = V.Width;
        byte* initial = Walk.State(Initial, row), final = Walk.State(Final, row);
        V h0 = Start<V, Whole<V>>(initial, channel, 0), h1 = Start<V, Whole<V>>(initial, channel + width, 0);
        V h2 = Start<V, Whole<V>>(initial, channel + 2 * width, 0), h3 = Start<V, Whole<V>>(initial, channel + 3 * width, 0);
        int count = Walk.Count(row);
        for (int step = 0; step < count; step++)
        {
            int place = Walk.Place(step, count);
            double carries = Walk.Carries(row, step, count);
            byte* a = A.At(row, place, channel), x = X.At(row, place, channel), h = H.At(row, place, channel);
            h0 = Step<V, TA, Whole<V>>(h0, carries, a, x, h, 0, 0);
            h1 = Step<V, TA, Whole<V>>(h1, carries, a, x, h, width, 0);
            h2 = Step<V, TA, Whole<V>>(h2, carries, a, x, h, 2 * width, 0);
            h3 = Step<V, TA, Whole<V>>(h3, carries, a, x, h, 3 * width, 0);
        }

        if (final is not null)
        {
            V.Store(final, channel, h0);
            V.Store(final, channel + width, h1);
            V.Store(final, channel + 2 * width, h2);
            V.Store(final, channel + 3 * width, h3);
        }
    }

    /// <summary>The first elements of one lane.</summary>
    private readonly void One<V, TA>(int row, int channel, int channels)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
    {
        byte* initial = Walk.State(Initial, row), final = Walk.State(Final, row);
        V state = Start<V, Part<V>>(initial, channel, channels);
        int count = Walk.Count(row);
        for (int step = 0; step < count; step++)
        {
            int place = Walk.Place(step, count);
            state = Step<V, TA, Part<V>>(
                state, Walk.Carries(row, step, count), A.At(row, place, channel), X.At(row, place, channel), H.At(row, place, channel), 0, channels);
        }

        if (final is not null)
        {
            V.StorePart(final, channel, channels, state);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Step<V, TA, P>(V state, double carries, byte* a, byte* x, byte* h, nint i, int count)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
        where P : struct, IPiece<V>
    {
        state = V.MultiplyAdd(TA.Load(a, i, count), Walk.Carried(state, carries), P.Load(x, i, count));
        P.Store(h, i, count, state);
        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Start<V, P>(byte* state, nint channel, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
        => state is null ? V.Constant(0) : P.Load(state, channel, count);
}
