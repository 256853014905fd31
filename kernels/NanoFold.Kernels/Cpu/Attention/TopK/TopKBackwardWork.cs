using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>
/// Backward pass of top-k attention: only the kept keys of a row are read, their scores computed again. Cut as the full backward pass is.
/// </summary>
internal readonly unsafe struct TopKBackwardWork(CpuContext context, AttentionProblem problem, KeptKeys kept, GradientProblem gradients) : ILaneWork
{
    public long Items => (long)problem.Batch * problem.KeyHeads * gradients.Plan.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        GradientPlan plan = gradients.Plan;
        long pairs = (long)problem.Batch * problem.KeyHeads;
        int batch = (int)(item % pairs / problem.KeyHeads), keyHead = (int)(item % pairs % problem.KeyHeads);
        int part = plan.Parts - 1 - (int)(item / pairs);
        int first = part * plan.PartRows;
        int rows = Math.Min(plan.PartRows, problem.Time - first);

        var lane = LaneSize.Of<V>();
        var scratch = new Scratch(context.Scratch(worker, new Scratch(null, problem, plan.Parts == 1, kept.Count, lane).Bytes), problem, plan.Parts == 1, kept.Count, lane);
        KeyGradients sums = plan.Parts == 1 ? scratch.Sums : gradients.Partial(problem, batch, keyHead, part);
        if (plan.Parts == 1)
        {
            sums.Zero<V>(0, problem.Keys);
        }
        else
        {
            KeyBlocks range = problem.KeysOf(batch, first, first + rows - 1);
            sums.Zero<V>(0, range.SinkEnd);
            sums.Zero<V>(range.Start, range.End);
        }

        for (int h = keyHead * problem.Group; h < (keyHead + 1) * problem.Group; h++)
        {
            for (int t = first; t < first + rows; t++)
            {
                Row<V>(scratch, sums, batch, t, h, keyHead);
            }
        }

        if (plan.Parts == 1)
        {
            gradients.WriteKeys<V>(problem, sums, batch, 0, problem.Keys, keyHead);
        }
    }

    private void Row<V>(in Scratch scratch, in KeyGradients sums, int batch, int time, int head, int keyHead)
        where V : struct, ICpuLane<V>
    {
        int* indices = kept.Row(problem, batch, head, time);
        int count = 0;
        while (count < kept.Count && indices[count] >= 0)
        {
            // They come from memory that others may write to.
            if (indices[count] >= problem.Keys)
            {
                throw new ArgumentException($"top-k attention: kept key {indices[count]} of {problem.Keys}");
            }

            count++;
        }

        void* q = problem.Q.Row<V>(batch, time, head), dy = gradients.DY.Row<V>(batch, time, head);
        double delta = HeadRow.Dot<V>(problem.Y.Row<V>(batch, time, head), dy, problem.ValueDepth);
        double logSumExp = Element.Get<V>(problem.LogSumExpRow<V>(batch, head, time), 0);
        for (int i = 0; i < count; i++)
        {
            double score = HeadRow.Dot<V>(q, problem.K.Row<V>(batch, indices[i], keyHead), problem.Depth) * problem.Scale;
            Element.Set<V>(scratch.Weights, i, score - logSumExp);
        }

        for (int i = 0; i < count; i += V.Width)
        {
            V.Store(scratch.Weights, i, SoftmaxExp.Of(V.Load(scratch.Weights, i)));
        }

        HeadRow.Zero<V>(scratch.QuerySum, LaneSize.Of<V>().Padded(problem.Depth));
        for (int i = 0; i < count; i++)
        {
            void* k = problem.K.Row<V>(batch, indices[i], keyHead);
            double weight = Element.Get<V>(scratch.Weights, i);
            double dp = HeadRow.Dot<V>(dy, problem.V.Row<V>(batch, indices[i], keyHead), problem.ValueDepth);
            V ds = V.Constant(weight * (dp - delta) * problem.Scale);
            HeadRow.AddScaled(ds, k, scratch.QuerySum, problem.Depth);
            HeadRow.AddScaled(ds, q, sums.Key<V>(0, indices[i]), problem.Depth);
            HeadRow.AddScaled(V.Splat(scratch.Weights, i), dy, sums.Value<V>(indices[i]), problem.ValueDepth);
        }

        if (!gradients.DQ.IsNone)
        {
            HeadRow.Write(scratch.QuerySum, gradients.DQ.Row<V>(batch, time, head), problem.Depth, V.Constant(1), gradients.AccumulateQ);
        }
    }

    private readonly struct Scratch
    {
        public Scratch(void* memory, in AttentionProblem problem, bool ownSums, int keep, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            QuerySum = cursor.Take((long)lane.Padded(problem.Depth) * lane.Bytes);
            Weights = cursor.Take((long)lane.Padded(keep) * lane.Bytes);
            if (ownSums)
            {
                Sums = KeyGradients.Take(ref cursor, problem, lane);
            }

            Bytes = cursor.Used;
        }

        public void* QuerySum { get; }

        public void* Weights { get; }

        public KeyGradients Sums { get; }

        public long Bytes { get; }
    }
}
