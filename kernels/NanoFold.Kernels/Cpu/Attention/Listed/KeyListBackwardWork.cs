using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>
/// Backward pass of attention over lists of keys, cut as the full backward pass is. As forward, keys go by in tiles: the rows of k, v, dk and dv of a
/// tile stay near while a block of queries takes its own of them.
/// </summary>
internal readonly unsafe struct KeyListBackwardWork(CpuContext context, AttentionProblem problem, QueryLists lists, GradientProblem gradients) : ILaneWork
{
    private const int TileKeys = KeyListForwardWork.TileKeys;
    private const int Queries = 64;

    public long Items => (long)problem.Batch * problem.KeyHeads * gradients.Plan.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        GradientPlan plan = gradients.Plan;
        long pairs = (long)problem.Batch * problem.KeyHeads;
        int batch = (int)(item % pairs / problem.KeyHeads), keyHead = (int)(item % pairs % problem.KeyHeads);
        int part = plan.Parts - 1 - (int)(item / pairs);
        int first = part * plan.PartRows, end = Math.Min(first + plan.PartRows, problem.Time);

        var lane = LaneSize.Of<V>();
        var scratch = new Scratch(context.Scratch(worker, new Scratch(null, problem, lists, plan.Parts == 1, lane).Bytes), problem, lists, plan.Parts == 1, lane);
        KeyGradients sums = plan.Parts == 1 ? scratch.KeySums : gradients.Partial(problem, batch, keyHead, part);
        if (plan.Parts == 1)
        {
            sums.Zero<V>(0, problem.Keys);
        }
        else
        {
            KeyBlocks range = problem.KeysOf(batch, first, end - 1);
            sums.Zero<V>(0, range.SinkEnd);
            sums.Zero<V>(range.Start, range.End);
        }

        for (int h = keyHead * problem.Group; h < (keyHead + 1) * problem.Group; h++)
        {
            for (int start = first; start < end; start += Queries)
            {
                Block<V>(scratch, sums, batch, h, keyHead, start, Math.Min(Queries, end - start));
            }
        }

        if (plan.Parts == 1)
        {
            gradients.WriteKeys<V>(problem, sums, batch, 0, problem.Keys, keyHead);
        }
    }

    private void Block<V>(in Scratch scratch, in KeyGradients sums, int batch, int head, int keyHead, int first, int count)
        where V : struct, ICpuLane<V>
    {
        int longest = 0;
        for (int r = 0; r < count; r++)
        {
            Query query = default;
            query.Keys = lists.Of(batch, head, first + r, scratch.Room + ((long)r * lists.Room), out query.Count);
            query.Delta = HeadRow.Dot<V>(problem.Y.Row<V>(batch, first + r, head), gradients.DY.Row<V>(batch, first + r, head), problem.ValueDepth);
            query.LogSumExp = Element.Get<V>(problem.LogSumExpRow<V>(batch, head, first + r), 0) * SoftmaxPower.BitsPerNat;
            longest = Math.Max(longest, query.Count > 0 ? query.Keys[query.Count - 1] + 1 : 0);
            scratch.Queries[r] = query;
        }

        HeadRow.Zero<V>(scratch.Sums, count * scratch.SumRow);
        for (int tile = 0; tile < longest; tile += TileKeys)
        {
            for (int r = 0; r < count; r++)
            {
                ref Query query = ref scratch.Queries[r];
                int size = ListedRows.Before(query.Keys, query.Next, query.Count, tile + TileKeys);
                if (size > 0)
                {
                    Row<V>(scratch, sums, query, size, Element.At<V>(scratch.Sums, r * scratch.SumRow), batch, head, keyHead, first + r);
                    query.Next += size;
                }
            }
        }

        for (int r = 0; r < count && !gradients.DQ.IsNone; r++)
        {
            HeadRow.Write(
                Element.At<V>(scratch.Sums, r * scratch.SumRow), gradients.DQ.Row<V>(batch, first + r, head), problem.Depth, V.Constant(1), gradients.AccumulateQ);
        }
    }

    // Of a query the next keys of its list.
    private void Row<V>(in Scratch scratch, in KeyGradients sums, in Query query, int size, void* dq, int batch, int head, int keyHead, int time)
        where V : struct, ICpuLane<V>
    {
        void* q = problem.Q.Row<V>(batch, time, head), dy = gradients.DY.Row<V>(batch, time, head);
        void* k = problem.K.Row<V>(batch, 0, keyHead), v = problem.V.Row<V>(batch, 0, keyHead);
        int* keys = query.Keys + query.Next;
        ListedRows.Dots<V>(q, k, problem.K.Time, keys, size, problem.Depth, scratch.Weights);
        ListedRows.Dots<V>(dy, v, problem.V.Time, keys, size, problem.ValueDepth, scratch.Gradients);
        V toBits = V.Constant(problem.Scale * SoftmaxPower.BitsPerNat), logSumExp = V.Constant(query.LogSumExp);
        V delta = V.Constant(query.Delta), scale = V.Constant(problem.Scale);
        for (nint i = 0; i < size; i += V.Width)
        {
            V p = SoftmaxPower.Of((V.Load(scratch.Weights, i) * toBits) - logSumExp);
            V.Store(scratch.Weights, i, p);
            V.Store(scratch.Gradients, i, p * (V.Load(scratch.Gradients, i) - delta) * scale);
        }

        if (!gradients.DQ.IsNone)
        {
            ListedRows.AddWeighted<V>(scratch.Gradients, k, problem.K.Time, keys, size, dq, problem.Depth);
        }

        if (!gradients.DK.IsNone)
        {
            ListedRows.Spread<V>(scratch.Gradients, q, keys, size, sums.Key<V>(0, 0), sums.KeyRow, problem.Depth);
        }

        if (!gradients.DV.IsNone)
        {
            ListedRows.Spread<V>(scratch.Weights, dy, keys, size, sums.Value<V>(0), sums.ValueRow, problem.ValueDepth);
        }
    }

    /// <summary>A query's list and what its weights are worked out from.</summary>
    private struct Query
    {
        public int* Keys;
        public int Count, Next;

        /// <summary>dy · y.</summary>
        public double Delta;

        /// <summary>In bits.</summary>
        public double LogSumExp;
    }

    private readonly struct Scratch
    {
        public Scratch(void* memory, in AttentionProblem problem, in QueryLists lists, bool ownSums, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            SumRow = lane.Padded(problem.Depth);
            Queries = (Query*)cursor.Take(KeyListBackwardWork.Queries * (long)sizeof(Query));
            Room = (int*)cursor.Take((long)KeyListBackwardWork.Queries * lists.Room * sizeof(int));
            Sums = cursor.Take((long)KeyListBackwardWork.Queries * SumRow * lane.Bytes);
            Weights = cursor.Take((long)lane.Padded(TileKeys) * lane.Bytes);
            Gradients = cursor.Take((long)lane.Padded(TileKeys) * lane.Bytes);
            KeySums = default;
            if (ownSums)
            {
                KeySums = KeyGradients.Take(ref cursor, problem, lane);
            }

            Bytes = cursor.Used;
        }

        public nint SumRow { get; }

        public Query* Queries { get; }

        /// <summary>Where lists of blocks become lists of keys.</summary>
        public int* Room { get; }

        /// <summary>dq of the queries.</summary>
        public void* Sums { get; }

        /// <summary>Of the keys of a tile the weights, and the gradients of their scores.</summary>
        public void* Weights { get; }

        public void* Gradients { get; }

        public KeyGradients KeySums { get; }

        public long Bytes { get; }
    }
}
