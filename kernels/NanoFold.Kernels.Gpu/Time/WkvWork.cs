using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time;

/// <summary>A channel's weighted means, place after place.</summary>
internal struct WkvWork<T> : IGpuWork<WkvWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> K, V, Y;
    public Seams<T> Seams;
    public ArrayView<T> Decay, Bonus;
    public ArrayView<float> State, Kept;
    public int HasState, HasKept, Threads, Width, Chunks;

    public static void Run(WkvWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, channel = thread - row * w.Width, count = Seams<T>.Count(w.Seams, row);
        GpuLane rate = GpuLane.Exp(new GpuLane(T.Read(w.Decay[channel]))), bonus = new(T.Read(w.Bonus[channel]));
        GpuLane n = new(0), d = new(0), p = GpuLane.Constant(WkvStep.Empty);
        if (w.HasState != 0)
        {
            WkvStates.Load(w.State, row, channel, w.Width, out n, out d, out p);
        }

        for (int place = 0; place < count; place++)
        {
            if (w.HasKept != 0 && place % WkvCall.Chunk == 0)
            {
                WkvStates.Store(w.Kept, (long)row * w.Chunks + place / WkvCall.Chunk, channel, w.Width, n, d, p);
            }

            if (Seams<T>.Carries(w.Seams, row, place) == 0)
            {
                n = new(0);
                d = new(0);
                p = GpuLane.Constant(WkvStep.Empty);
            }

            GpuLane k = new(SequenceView<T>.Read(w.K, row, place, channel)), v = new(SequenceView<T>.Read(w.V, row, place, channel));
            SequenceView<T>.Write(w.Y, row, place, channel, WkvStep.Read(k, v, bonus, n, d, p).Value);
            WkvStep.Write(k, v, rate, ref n, ref d, ref p);
        }

        for (int place = count; place < w.Seams.Time; place++)
        {
            SequenceView<T>.Write(w.Y, row, place, channel, 0);
        }

        if (w.HasState != 0)
        {
            WkvStates.Store(w.State, row, channel, w.Width, n, d, p);
        }
    }
}

/// <summary>Its gradients, the last chunk first: its states are made again from the kept one and walked back.</summary>
internal struct WkvBackwardWork<T> : IGpuWork<WkvBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public SequenceView<T> K, V, DY, DK, DV;
    public Seams<T> Seams;
    public ArrayView<T> Decay, Bonus;
    public ArrayView<float> Kept, States, DDecay, DBonus;
    public int Threads, Width, Chunks, AccumulateK, AccumulateV;

    public static void Run(WkvBackwardWork<T> w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int row = thread / w.Width, channel = thread - row * w.Width;
        GpuLane rate = GpuLane.Exp(new GpuLane(T.Read(w.Decay[channel]))), bonus = new(T.Read(w.Bonus[channel])), empty = GpuLane.Constant(WkvStep.Empty);
        var after = new WkvAfter<GpuLane> { N = new(0), D = new(0), P = empty };
        var totals = new WkvTotals<GpuLane> { Bonus = new(0), Rate = new(0) };
        for (int chunk = w.Chunks - 1; chunk >= 0; chunk--)
        {
            int first = chunk * WkvCall.Chunk, places = IntrinsicMath.Min(WkvCall.Chunk, w.Seams.Time - first);
            WkvStates.Load(w.Kept, (long)row * w.Chunks + chunk, channel, w.Width, out GpuLane n, out GpuLane d, out GpuLane p);
            for (int step = 0; step < places; step++)
            {
                if (Seams<T>.Carries(w.Seams, row, first + step) == 0)
                {
                    n = new(0);
                    d = new(0);
                    p = empty;
                }

                WkvStates.Store(w.States, (long)row * WkvCall.Chunk + step, channel, w.Width, n, d, p);
                GpuLane k = new(SequenceView<T>.Read(w.K, row, first + step, channel)), v = new(SequenceView<T>.Read(w.V, row, first + step, channel));
                WkvStep.Write(k, v, rate, ref n, ref d, ref p);
            }

            for (int step = places - 1; step >= 0; step--)
            {
                int place = first + step;
                WkvStates.Load(w.States, (long)row * WkvCall.Chunk + step, channel, w.Width, out GpuLane heldN, out GpuLane heldD, out GpuLane heldP);
                var own = new WkvPlace<GpuLane>
                {
                    K = new(SequenceView<T>.Read(w.K, row, place, channel)),
                    Value = new(SequenceView<T>.Read(w.V, row, place, channel)),
                    DY = new(SequenceView<T>.Read(w.DY, row, place, channel)),
                    N = heldN,
                    D = heldD,
                    P = heldP,
                };
                GpuLane dk = WkvStep.Back(own, bonus, rate, ref after, ref totals, out GpuLane dv);
                if (w.DK.Has != 0)
                {
                    SequenceView<T>.Put(w.DK, row, place, channel, dk.Value, w.AccumulateK);
                }

                if (w.DV.Has != 0)
                {
                    SequenceView<T>.Put(w.DV, row, place, channel, dv.Value, w.AccumulateV);
                }

                if (Seams<T>.Carries(w.Seams, row, place) == 0)
                {
                    after = new WkvAfter<GpuLane> { N = new(0), D = new(0), P = empty };
                }
            }
        }

        w.DBonus[thread] = totals.Bonus.Value;
        w.DDecay[thread] = (totals.Rate * rate).Value;
    }
}

/// <summary>The three numbers of a channel in states [.., 3, C].</summary>
internal static class WkvStates
{
    public static void Load(ArrayView<float> states, long index, int channel, int width, out GpuLane n, out GpuLane d, out GpuLane p)
    {
        long at = index * WkvCall.Numbers * width + channel;
        n = new(states[at]);
        d = new(states[at + width]);
        p = new(states[at + 2 * width]);
    }

    public static void Store(ArrayView<float> states, long index, int channel, int width, GpuLane n, GpuLane d, GpuLane p)
    {
        long at = index * WkvCall.Numbers * width + channel;
        states[at] = n.Value;
        states[at + width] = d.Value;
        states[at + 2 * width] = p.Value;
    }
}
