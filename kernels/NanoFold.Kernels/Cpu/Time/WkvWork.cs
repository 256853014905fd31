using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>The means of some channels of one row, a lane of channels at a time from the first place to the last.</summary>
internal unsafe struct WkvForwardWork : ILaneWork
{
    public Walk Walk;
    public Steps K;
    public Steps V;
    public Steps Y;
    public byte* Decay;
    public byte* Bonus;
    public byte* State;
    public byte* Kept;

    public readonly void Invoke<TLane>(long item, int worker)
        where TLane : struct, ICpuLane<TLane>
    {
        Walk.Item(item, out int row, out int channel, out int channels);
        int steps = Walk.Count(row), size = TLane.Type.Size();
        for (int i = 0; i < channels; i += TLane.Width)
        {
            int count = Math.Min(TLane.Width, channels - i), at = channel + i;
            TLane rate = TLane.Exp(TLane.LoadPart(Decay, at, count)), bonus = TLane.LoadPart(Bonus, at, count);
            byte* state = WkvState.At(State, row, at, Walk.Width, size);
            WkvState.Load(state, Walk.Width, size, count, out TLane n, out TLane d, out TLane p);
            for (int place = 0; place < steps; place++)
            {
                if (place % WkvCall.Chunk == 0 && Kept is not null)
                {
                    WkvState.Store(WkvState.At(Kept, ((long)row * WkvCall.Chunks(Walk.Time)) + (place / WkvCall.Chunk), at, Walk.Width, size), Walk.Width, size, count, n, d, p);
                }

                if (Walk.Carries(row, place, steps) == 0)
                {
                    WkvState.Clear(out n, out d, out p);
                }

                TLane k = TLane.LoadPart(K.At(row, place, at), 0, count), v = TLane.LoadPart(V.At(row, place, at), 0, count);
                TLane.StorePart(Y.At(row, place, at), 0, count, WkvStep.Read(k, v, bonus, n, d, p));
                WkvStep.Write(k, v, rate, ref n, ref d, ref p);
            }

            for (int place = steps; place < Walk.Time; place++)
            {
                TLane.StorePart(Y.At(row, place, at), 0, count, TLane.Constant(0));
            }

            if (state is not null)
            {
                WkvState.Store(state, Walk.Width, size, count, n, d, p);
            }
        }
    }
}

/// <summary>Their gradients, the last chunk first: its states are made again from the kept one and walked back.</summary>
internal unsafe struct WkvBackwardWork : ILaneWork
{
    public CpuContext Context;
    public Walk Walk;
    public Steps K;
    public Steps V;
    public Steps DY;
    public Steps DK;
    public Steps DV;
    public byte* Decay;
    public byte* Bonus;
    public byte* Kept;
    public byte* DDecay;
    public byte* DBonus;
    public bool AccumulateK;
    public bool AccumulateV;

    public readonly void Invoke<TLane>(long item, int worker)
        where TLane : struct, ICpuLane<TLane>
    {
        Walk.Item(item, out int row, out int channel, out int channels);
        int size = TLane.Type.Size(), chunks = WkvCall.Chunks(Walk.Time);
        var states = (byte*)Context.Scratch(worker, (long)WkvCall.Chunk * WkvCall.Numbers * TLane.Width * size);
        for (int i = 0; i < channels; i += TLane.Width)
        {
            int count = Math.Min(TLane.Width, channels - i), at = channel + i;
            TLane decay = TLane.LoadPart(Decay, at, count), rate = TLane.Exp(decay), bonus = TLane.LoadPart(Bonus, at, count), zero = TLane.Constant(0);
            var after = new WkvAfter<TLane> { N = zero, D = zero, P = TLane.Constant(WkvStep.Empty) };
            var totals = new WkvTotals<TLane> { Bonus = zero, Rate = zero };
            for (int chunk = chunks - 1; chunk >= 0; chunk--)
            {
                int first = chunk * WkvCall.Chunk, places = Math.Min(WkvCall.Chunk, Walk.Time - first);
                WkvState.Load(WkvState.At(Kept, ((long)row * chunks) + chunk, at, Walk.Width, size), Walk.Width, size, count, out TLane n, out TLane d, out TLane p);
                for (int step = 0; step < places; step++)
                {
                    if (Walk.Carries(row, first + step, Walk.Time) == 0)
                    {
                        WkvState.Clear(out n, out d, out p);
                    }

                    int held = WkvCall.Numbers * step;
                    TLane.Store(states, held * TLane.Width, n);
                    TLane.Store(states, (held + 1) * TLane.Width, d);
                    TLane.Store(states, (held + 2) * TLane.Width, p);
                    TLane k = TLane.LoadPart(K.At(row, first + step, at), 0, count), v = TLane.LoadPart(V.At(row, first + step, at), 0, count);
                    WkvStep.Write(k, v, rate, ref n, ref d, ref p);
                }

                for (int step = places - 1; step >= 0; step--)
                {
                    int place = first + step, held = WkvCall.Numbers * step;
                    var own = new WkvPlace<TLane>
                    {
                        K = TLane.LoadPart(K.At(row, place, at), 0, count),
                        Value = TLane.LoadPart(V.At(row, place, at), 0, count),
                        DY = TLane.LoadPart(DY.At(row, place, at), 0, count),
                        N = TLane.Load(states, held * TLane.Width),
                        D = TLane.Load(states, (held + 1) * TLane.Width),
                        P = TLane.Load(states, (held + 2) * TLane.Width),
                    };
                    TLane dk = WkvStep.Back(own, bonus, rate, ref after, ref totals, out TLane dv);
                    Put(DK.AtOrNull(row, place, at), count, dk, AccumulateK);
                    Put(DV.AtOrNull(row, place, at), count, dv, AccumulateV);
                    if (Walk.Carries(row, place, Walk.Time) == 0)
                    {
                        WkvState.Clear(out after.N, out after.D, out after.P);
                    }
                }
            }

            TLane.StorePart(Walk.State(DBonus, row, at), 0, count, totals.Bonus);
            TLane.StorePart(Walk.State(DDecay, row, at), 0, count, totals.Rate * rate);
        }
    }

    private static void Put<TLane>(byte* target, int count, TLane value, bool accumulate)
        where TLane : struct, ICpuLane<TLane>
    {
        if (target is not null)
        {
            TLane.StorePart(target, 0, count, accumulate ? TLane.LoadPart(target, 0, count) + value : value);
        }
    }
}

/// <summary>The three numbers of a lane's channels in states [.., 3, C].</summary>
internal static unsafe class WkvState
{
    /// <summary>Where those of a channel lie; null where there are no states.</summary>
    public static byte* At(byte* states, long index, int channel, int width, int size) => states is null ? null : states + (((index * WkvCall.Numbers * width) + channel) * size);

    /// <summary>Nothing where there is none.</summary>
    public static void Load<V>(byte* state, int width, int size, int count, out V n, out V d, out V p)
        where V : struct, ICpuLane<V>
    {
        Clear(out n, out d, out p);
        if (state is not null)
        {
            n = V.LoadPart(state, 0, count);
            d = V.LoadPart(state + ((nint)width * size), 0, count);
            p = V.LoadPart(state + (2 * (nint)width * size), 0, count);
        }
    }

    public static void Store<V>(byte* state, int width, int size, int count, V n, V d, V p)
        where V : struct, ICpuLane<V>
    {
        V.StorePart(state, 0, count, n);
        V.StorePart(state + ((nint)width * size), 0, count, d);
        V.StorePart(state + (2 * (nint)width * size), 0, count, p);
    }

    /// <summary>Sums that hold nothing.</summary>
    public static void Clear<V>(out V n, out V d, out V p)
        where V : struct, ICpuLane<V>
    {
        n = V.Constant(0);
        d = V.Constant(0);
        p = V.Constant(WkvStep.Empty);
    }
}
