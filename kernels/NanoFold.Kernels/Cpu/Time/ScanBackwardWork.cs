using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>g_t = dh_t + a_{t+1} ⊙ c_{t+1} g_{t+1}, dx = g, da_t = g_t ⊙ c_t h_{t−1} over some channels of one row, the last place first.</summary>
internal unsafe struct ScanBackwardWork : ILaneWork
{
    public Walk Walk;
    public Steps A;
    public Steps H;
    public Steps DH;
    public Steps DX;
    public Steps DA;
    public byte* Initial;
    public byte* DFinal;
    public byte* DInitial;
    public bool AccumulateX;
    public bool AccumulateA;
    public bool AccumulateInitial;

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

    [SkipLocalsInit]
    private readonly void Row<V, TWhole, TPart>(int row, int channel, int channels)
        where V : struct, ICpuLane<V>
        where TWhole : struct, IFactor<V>
        where TPart : struct, IFactor<V>
    {
        // What goes from each place to the one before.
        byte* carried = stackalloc byte[Walk.MostChannels * sizeof(double)];
        byte* final = Walk.State(DFinal, row, channel), initial = Walk.State(DInitial, row, channel);
        int bytes = channels * V.Type.Size();
        if (final is null)
        {
            new Span<byte>(carried, bytes).Clear();
        }
        else
        {
            new Span<byte>(final, bytes).CopyTo(new Span<byte>(carried, bytes));
        }

        for (int step = Walk.Time - 1; step >= 0; step--)
        {
            Place at = At(row, step, channel);
            V factor = V.Constant(at.Carries);
            nint i = 0, width = channels;
            for (; i <= width - V.Width; i += V.Width)
            {
                Lane<V, TWhole, Whole<V>>(at, carried, factor, i, 0);
            }

            if (i < width)
            {
                Lane<V, TPart, Part<V>>(at, carried, factor, i, (int)(width - i));
            }
        }

        for (nint i = 0; initial is not null && i < channels; i += V.Width)
        {
            int count = (int)Math.Min(V.Width, channels - i);
            V g = V.LoadPart(carried, i, count);
            V.StorePart(initial, i, count, AccumulateInitial ? V.LoadPart(initial, i, count) + g : g);
        }
    }

    /// <summary>Where everything of a step lies; what is none is null.</summary>
    private readonly Place At(int row, int step, int channel)
    {
        int place = Walk.Place(step, Walk.Time);
        double carries = Walk.Carries(row, step, Walk.Time);
        return new Place
        {
            A = A.At(row, place, channel),
            DH = DH.AtOrNull(row, place, channel),
            DX = DX.AtOrNull(row, place, channel),
            DA = DA.AtOrNull(row, place, channel),
            Before = carries == 0 ? null : step > 0 ? H.At(row, Walk.Place(step - 1, Walk.Time), channel) : Walk.State(Initial, row, channel),
            Carries = carries,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Lane<V, TA, P>(in Place at, byte* carried, V factor, nint i, int count)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
        where P : struct, IPiece<V>
    {
        V g = P.Load(carried, i, count);
        if (at.DH is not null)
        {
            g += P.Load(at.DH, i, count);
        }

        if (at.DX is not null)
        {
            P.Store(at.DX, i, count, AccumulateX ? P.Load(at.DX, i, count) + g : g);
        }

        g *= factor;
        if (at.DA is not null)
        {
            V gradient = at.Before is null ? V.Constant(0) : g * P.Load(at.Before, i, count);
            P.Store(at.DA, i, count, AccumulateA ? P.Load(at.DA, i, count) + gradient : gradient);
        }

        P.Store(carried, i, count, at.Carries == 0 ? V.Constant(0) : g * TA.Load(at.A, i, count));
    }

    private ref struct Place
    {
        public byte* A;
        public byte* DH;
        public byte* DX;
        public byte* DA;
        public byte* Before;
        public double Carries;
    }
}
