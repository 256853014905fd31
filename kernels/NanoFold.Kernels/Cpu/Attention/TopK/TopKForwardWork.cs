using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>Forward pass of top-k attention; an item is a batch row, a head and a block of queries.</summary>
internal readonly unsafe struct TopKForwardWork(CpuContext context, AttentionProblem problem, KeptKeys kept) : ILaneWork
{
    private const int Queries = 32;

    public long Items => (long)problem.Batch * problem.Heads * BlockSizes.Count(problem.Time, Queries);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long pairs = (long)problem.Batch * problem.Heads;
        int batch = (int)(item % pairs / problem.Heads), head = (int)(item % pairs % problem.Heads);
        int keyHead = head / problem.Group;
        int start = (BlockSizes.Count(problem.Time, Queries) - 1 - (int)(item / pairs)) * Queries;
        int count = Math.Min(Queries, problem.Time - start);

        var lane = LaneSize.Of<V>();
        long bytes = new ScoreRows(null, Queries, problem.Depth, problem.ValueDepth, problem.Keys, kept.Count, lane).Bytes;
        var rows = new ScoreRows(context.Scratch(worker, bytes), Queries, problem.Depth, problem.ValueDepth, problem.Keys, kept.Count, lane);
        for (int c = 0; c < lane.Padded(Queries); c++)
        {
            Element.Set<V>(rows.Positions, c, c);
        }

        BlockPacking.Transposed<V>(problem.Q.Row<V>(batch, start, head), problem.Q.Time, 0, 1, count, problem.Depth, rows.Queries, problem.Scale);
        KeyBlocks keys = problem.KeysOf(batch, start, start + count - 1);
        rows.Hide<V>(keys.Total, count);
        while (keys.Next())
        {
            if (problem.DocumentsMeet(batch, keys, start, count, out int* keyDocuments, out int* queryDocuments))
            {
                rows.Add<V>(
                    problem.Mask(keys, start, count), problem.K.Row<V>(batch, keys.First, keyHead), problem.K.Time, keys.IndexOf(keys.First),
                    keyDocuments, queryDocuments);
            }
        }

        for (int c = 0; c < count; c++)
        {
            int size = rows.Select<V>(c, keys.Total, out double logSumExp);
            Element.Set<V>(problem.LogSumExpRow<V>(batch, head, start + c), 0, logSumExp);
            int* indices = kept.Row(problem, batch, head, start + c);
            HeadRow.Zero<V>(rows.Output, lane.Padded(problem.ValueDepth));
            for (int i = 0; i < size; i++)
            {
                indices[i] = keys.KeyAt(rows.Kept[i].Key);
                HeadRow.AddScaled(rows.Weight<V>(i), problem.V.Row<V>(batch, indices[i], keyHead), rows.Output, problem.ValueDepth);
            }

            new Span<int>(indices + size, kept.Count - size).Fill(-1);
            // A row whose scores have no order, as one is not a number, gives none.
            V factor = V.Constant(double.IsNaN(logSumExp) ? double.NaN : 1);
            HeadRow.Write(rows.Output, problem.Y.Row<V>(batch, start + c, head), problem.ValueDepth, factor);
        }
    }
}

/// <summary>Indices of the keys kept per row, [B, H, T, k], −1 after the last.</summary>
internal readonly unsafe struct KeptKeys
{
    private readonly int* _indices;

    public KeptKeys(in View kept)
    {
        Count = kept.Layout[3];
        _indices = kept.Ints;
    }

    /// <summary>k.</summary>
    public int Count { get; }

    public int* Row(in AttentionProblem problem, int batch, int head, int time) =>
        _indices + (((long)batch * problem.Heads + head) * problem.Time + time) * Count;
}
