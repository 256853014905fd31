using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>g_t = dh_t + a_{t+1} ⊙ c_{t+1} g_{t+1}, dx = g, da_t = g_t ⊙ c_t h_{t−1} over some channels of one row.</summary>
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
            All<V, OneForAll<V>, OneForAll<V>>(row, channel, channels);
        }
        else
        {
            All<V, PerChannel<V, Whole<V>>, PerChannel<V, Part<V>>>(row, channel, channels);
        }
    }

    private readonly void All<V, TWhole, TPart>(int row, int channel, int channels)
        where V : struct, ICpuLane<V>
        where TWhole : struct, IFactor<V>
        where TPart : struct, IFactor<V>
    {
        for (; channels >= 2 * V.Width; channel += 2 * V.Width, channels -= 2 * V.Width)
        {
            Two<V, TWhole>(row, channel);
        }

        for (; channels > 0; channel += V.Width, channels -= V.Width)
        {
            One<V, TPart>(row, channel, Math.Min(V.Width, channels));
        }
    }

    private readonly void Two<V, TA>(int row, int channel)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
    {
        nint width = V.Width;
        V g0 = Start<V, Whole<V>>(row, channel, 0), g1 = Start<V, Whole<V>>(row, channel + V.Width, 0);
        for (int step = Walk.Time - 1; step >= 0; step--)
        {
            Place at = At(row, step, channel);
            g0 = Step<V, TA, Whole<V>>(g0, at, 0, 0);
            g1 = Step<V, TA, Whole<V>>(g1, at, width, 0);
        }

        End<V, Whole<V>>(g0, row, channel, 0);
        End<V, Whole<V>>(g1, row, channel + V.Width, 0);
    }

    private readonly void One<V, TA>(int row, int channel, int channels)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
    {
        V g = Start<V, Part<V>>(row, channel, channels);
        for (int step = Walk.Time - 1; step >= 0; step--)
        {
            g = Step<V, TA, Part<V>>(g, At(row, step, channel), 0, channels);
        }

        End<V, Part<V>>(g, row, channel, channels);
    }

    /// <summary>Where everything of a step lies; what is none is null.</summary>
    private readonly Place At(int row, int step, int channel)
    {
        int place = Walk.Place(step, Walk.Time);
        return new Place
        {
            A = A.At(row, place, channel),
            DH = DH.AtOrNull(row, place, channel),
            DX = DX.AtOrNull(row, place, channel),
            DA = DA.AtOrNull(row, place, channel),
            Before = DA.IsNone ? null : step > 0 ? H.At(row, Walk.Place(step - 1, Walk.Time), channel) : Walk.State(Initial, row, channel),
            Carries = Walk.Carries(row, step, Walk.Time),
        };
    }

    /// <summary>From what comes from the steps after this one to what goes to those before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly V Step<V, TA, P>(V g, in Place at, nint i, int count)
        where V : struct, ICpuLane<V>
        where TA : struct, IFactor<V>
        where P : struct, IPiece<V>
    {
        if (at.DH is not null)
        {
            g += P.Load(at.DH, i, count);
        }

        if (at.DX is not null)
        {
            P.Store(at.DX, i, count, AccumulateX ? P.Load(at.DX, i, count) + g : g);
        }

        V carried = Walk.Carried(g, at.Carries);
        if (at.DA is not null)
        {
            V gradient = at.Before is null || at.Carries == 0 ? V.Constant(0) : carried * P.Load(at.Before, i, count);
            P.Store(at.DA, i, count, AccumulateA ? P.Load(at.DA, i, count) + gradient : gradient);
        }

        return carried * TA.Load(at.A, i, count);
    }

    private readonly V Start<V, P>(int row, int channel, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
        => DFinal is null ? V.Constant(0) : P.Load(Walk.State(DFinal, row), channel, count);

    private readonly void End<V, P>(V g, int row, int channel, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        if (DInitial is not null)
        {
            byte* target = Walk.State(DInitial, row);
            P.Store(target, channel, count, AccumulateInitial ? P.Load(target, channel, count) + g : g);
        }
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
