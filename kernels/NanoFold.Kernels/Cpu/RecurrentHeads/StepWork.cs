using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// Place after place, for the few of decoding: each reads the state once and writes it once. An item is a batch row and a head. With the delta rule what the state gives
/// to k is summed first, and to q beside it: y = scale · (Sᵀ q + (k · q) u) with S before u comes in; the second pass finds the state in the cache.
/// </summary>
internal unsafe struct StepWork : ILaneWork
{
    public required CpuContext Context;
    public HeadsProblem Problem;
    public HeadRows Y;
    public void* Final;
    public int* Counts;

    public readonly long Items => (long)Problem.Batch * Problem.Heads;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item / Problem.Heads), head = (int)(item % Problem.Heads);
        int count = Counts is null ? Problem.Time : Math.Clamp(Counts[batch], 0, Problem.Time);
        nint stateSize = (nint)Problem.KeyWidth * Problem.ValueWidth;
        var cursor = new ScratchCursor(Context.Scratch(worker, ScratchBytes<V>()));
        void* factors = cursor.Take(LaneSize.Of<V>().Padded(Problem.KeyWidth) * Element.Size<V>());
        void* own = cursor.Take(stateSize * Element.Size<V>());
        void* state = Final is null ? own : Problem.State<V>(Final, batch, head);
        void* initial = Problem.Initial<V>(batch, head);
        if (initial is null)
        {
            HeadRow.Zero<V>(state, stateSize);
        }
        else if (initial != state)
        {
            Buffer.MemoryCopy(initial, state, stateSize * Element.Size<V>(), stateSize * Element.Size<V>());
        }

        for (int time = 0; time < count; time++)
        {
            Factors<V>(factors, batch, time, head);
            Place<V>(state, factors, batch, time, head);
        }

        for (int time = count; time < Problem.Time; time++)
        {
            HeadRow.Zero<V>(Y.Row<V>(batch, time, head), Problem.ValueWidth);
        }
    }

    private readonly long ScratchBytes<V>()
        where V : struct, ICpuLane<V>
    {
        var cursor = new ScratchCursor(null);
        cursor.Take(LaneSize.Of<V>().Padded(Problem.KeyWidth) * Element.Size<V>());
        cursor.Take((nint)Problem.KeyWidth * Problem.ValueWidth * Element.Size<V>());
        return cursor.Used;
    }

    // What each row of the state is multiplied with.
    private readonly void Factors<V>(void* factors, int batch, int time, int head)
        where V : struct, ICpuLane<V>
    {
        if (!Problem.Continues<V>(batch, time) || Problem.Decays.IsNone)
        {
            Element.Fill<V>(factors, Problem.KeyWidth, Problem.Continues<V>(batch, time) ? 1 : 0);
            return;
        }

        void* decay = Problem.Decays.At<V>(batch, time, head);
        for (nint i = 0; i < Problem.KeyWidth; i += V.Width)
        {
            int rest = (int)Math.Min(V.Width, Problem.KeyWidth - i);
            V value = Problem.Decay == Calls.RecurrentHeads.HeadDecay.Vector ? V.LoadPart(decay, i, rest) : V.Splat(decay, 0);
            V.Store(factors, i, V.Exp(value));
        }
    }

    private readonly void Place<V>(void* state, void* factors, int batch, int time, int head)
        where V : struct, ICpuLane<V>
    {
        int group = Problem.Group(head);
        var at = new StepColumns
        {
            State = state,
            Factors = factors,
            Q = Problem.Q.Row<V>(batch, time, group),
            K = Problem.K.Row<V>(batch, time, group),
            Values = Problem.V.Row<V>(batch, time, head),
            Y = Y.Row<V>(batch, time, head),
            Depth = Problem.KeyWidth,
            Width = Problem.ValueWidth,
            HasBeta = Problem.HasBeta,
            Beta = Problem.HasBeta ? Problem.Beta.Get<V>(batch, time, head) : 0,
            Scale = Problem.Scale,
        };
        at.Meeting = Problem.HasBeta ? HeadRow.Dot<V>(at.Q, at.K, Problem.KeyWidth) : 0;
        at.Run<V>();
    }
}
