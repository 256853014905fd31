using System.Runtime.CompilerServices;
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
        var at = new Operands
        {
            State = state,
            Factors = factors,
            Q = Problem.Q.Row<V>(batch, time, group),
            K = Problem.K.Row<V>(batch, time, group),
            V = Problem.V.Row<V>(batch, time, head),
            Y = Y.Row<V>(batch, time, head),
            Beta = Problem.HasBeta ? Problem.Beta.Get<V>(batch, time, head) : 0,
        };
        at.Meeting = Problem.HasBeta ? HeadRow.Dot<V>(at.Q, at.K, Problem.KeyWidth) : 0;
        nint i = 0;
        for (; i + V.Width <= Problem.ValueWidth; i += V.Width)
        {
            Columns<V, Whole<V>>(at, i, V.Width);
        }

        if (i < Problem.ValueWidth)
        {
            Columns<V, Part<V>>(at, i, (int)(Problem.ValueWidth - i));
        }
    }

    /// <summary>A lane of columns of the state, down all of its rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Columns<V, P>(in Operands at, nint column, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V added = P.Load(at.V, column, count), y = V.Constant(0), scale = V.Constant(Problem.Scale);
        if (Problem.HasBeta)
        {
            V read = V.Constant(0);
            for (nint d = 0; d < Problem.KeyWidth; d++)
            {
                V faded = P.Load(Element.At<V>(at.State, d * Problem.ValueWidth), column, count) * V.Splat(at.Factors, d);
                read = V.MultiplyAdd(V.Splat(at.K, d), faded, read);
                y = V.MultiplyAdd(V.Splat(at.Q, d), faded, y);
            }

            added = V.Constant(at.Beta) * (added - read);
            P.Store(at.Y, column, count, scale * V.MultiplyAdd(V.Constant(at.Meeting), added, y));
        }

        for (nint d = 0; d < Problem.KeyWidth; d++)
        {
            void* row = Element.At<V>(at.State, d * Problem.ValueWidth);
            V next = V.MultiplyAdd(V.Splat(at.K, d), added, P.Load(row, column, count) * V.Splat(at.Factors, d));
            P.Store(row, column, count, next);
            y = V.MultiplyAdd(V.Splat(at.Q, d), next, y);
        }

        if (!Problem.HasBeta)
        {
            P.Store(at.Y, column, count, scale * y);
        }
    }

    private struct Operands
    {
        public void* State;
        public void* Factors;
        public void* Q;
        public void* K;
        public void* V;
        public void* Y;
        public double Beta;

        /// <summary>k · q.</summary>
        public double Meeting;
    }
}
