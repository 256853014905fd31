using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>h_t = a_t ⊙ c_t h_{t−1} + x_t.</summary>
internal struct ScanWork<T> : IGpuWork<ScanWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> A, X, H;
    public Seams<T> Seams;
    public StateView<T> Initial, Final;
    public int Threads, Width, Reverse;

    public static void Run(ScanWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, channel = thread - row * w.Width, count = Seams<T>.Count(w.Seams, row);
        float state = StateView<T>.Read(w.Initial, thread);
        for (int step = 0; step < count; step++)
        {
            int place = w.Reverse != 0 ? count - 1 - step : step;
            state *= ScanSeam.Carries(w.Seams, row, place, w.Reverse, step);
            state = SequenceView<T>.Read(w.A, row, place, channel) * state + SequenceView<T>.Read(w.X, row, place, channel);
            SequenceView<T>.Write(w.H, row, place, channel, state);
        }

        for (int place = count; place < w.Seams.Time; place++)
        {
            SequenceView<T>.Write(w.H, row, place, channel, 0);
        }

        StateView<T>.Put(w.Final, thread, state, 0);
    }
}

/// <summary>g_t = dh_t + a_{t+1} ⊙ c_{t+1} g_{t+1}, dx = g, da_t = g_t ⊙ c_t h_{t−1}.</summary>
internal struct ScanBackwardWork<T> : IGpuWork<ScanBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> A, H, DH, DX, DA;
    public Seams<T> Seams;
    public StateView<T> Initial, DFinal, DInitial;
    public int Threads, Width, Reverse, AccumulateX, AccumulateA, AccumulateInitial;

    public static void Run(ScanBackwardWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, channel = thread - row * w.Width, time = w.Seams.Time;
        float g = StateView<T>.Read(w.DFinal, thread);
        for (int step = time - 1; step >= 0; step--)
        {
            int place = w.Reverse != 0 ? time - 1 - step : step;
            if (w.DH.Has != 0)
            {
                g += SequenceView<T>.Read(w.DH, row, place, channel);
            }

            if (w.DX.Has != 0)
            {
                SequenceView<T>.Put(w.DX, row, place, channel, g, w.AccumulateX);
            }

            g *= ScanSeam.Carries(w.Seams, row, place, w.Reverse, step);
            if (w.DA.Has != 0)
            {
                float before = step > 0
                    ? SequenceView<T>.Read(w.H, row, w.Reverse != 0 ? place + 1 : place - 1, channel)
                    : StateView<T>.Read(w.Initial, thread);
                SequenceView<T>.Put(w.DA, row, place, channel, g * before, w.AccumulateA);
            }

            g *= SequenceView<T>.Read(w.A, row, place, channel);
        }

        StateView<T>.Put(w.DInitial, thread, g, w.AccumulateInitial);
    }
}

/// <summary>What the state that comes to a step is multiplied with.</summary>
internal static class ScanSeam
{
    public static float Carries<T>(in Seams<T> seams, int row, int place, int reverse, int step)
        where T : unmanaged, IElement<T>
    {
        // In reverse it is the place before, one further on in time, that says whether it goes on from here; nothing comes before the first step.
        if (reverse != 0 && step == 0)
        {
            return 1;
        }

        return Seams<T>.Carries(seams, row, reverse != 0 ? place + 1 : place);
    }
}
