using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>e_t = a_t + c_t m_{t−1}, m_t = max(e_t, x_t).</summary>
internal struct MaxScanWork<T> : IGpuWork<MaxScanWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> A, X, M, Carried;
    public Seams<T> Seams;
    public StateView<T> State;
    public int Threads, Width;

    public static void Run(MaxScanWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, channel = thread - row * w.Width, count = Seams<T>.Count(w.Seams, row);
        float m = StateView<T>.Read(w.State, thread);
        for (int place = 0; place < count; place++)
        {
            float carried = SequenceView<T>.Read(w.A, row, place, channel) + Seams<T>.Carries(w.Seams, row, place) * m;
            float x = SequenceView<T>.Read(w.X, row, place, channel);
            m = carried > x ? carried : x;
            SequenceView<T>.Write(w.Carried, row, place, channel, carried);
            SequenceView<T>.Write(w.M, row, place, channel, m);
        }

        for (int place = count; place < w.Seams.Time; place++)
        {
            SequenceView<T>.Write(w.Carried, row, place, channel, 0);
            SequenceView<T>.Write(w.M, row, place, channel, 0);
        }

        StateView<T>.Put(w.State, thread, m, 0);
    }
}

/// <summary>What comes to m_t goes to x_t, or to e_t where that is larger, and from there to the place before.</summary>
internal struct MaxScanBackwardWork<T> : IGpuWork<MaxScanBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> X, Carried, DM, DCarried, DA, DX;
    public Seams<T> Seams;
    public int Threads, Width, AccumulateA, AccumulateX;

    public static void Run(MaxScanBackwardWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, channel = thread - row * w.Width;
        float passed = 0;
        for (int place = w.Seams.Time - 1; place >= 0; place--)
        {
            if (w.DM.Has != 0)
            {
                passed += SequenceView<T>.Read(w.DM, row, place, channel);
            }

            bool goesOn = SequenceView<T>.Read(w.Carried, row, place, channel) > SequenceView<T>.Read(w.X, row, place, channel);
            float own = goesOn ? 0 : passed, before = goesOn ? passed : 0;
            if (w.DCarried.Has != 0)
            {
                before += SequenceView<T>.Read(w.DCarried, row, place, channel);
            }

            if (w.DX.Has != 0)
            {
                SequenceView<T>.Put(w.DX, row, place, channel, own, w.AccumulateX);
            }

            if (w.DA.Has != 0)
            {
                SequenceView<T>.Put(w.DA, row, place, channel, before, w.AccumulateA);
            }

            passed = before * Seams<T>.Carries(w.Seams, row, place);
        }
    }
}
