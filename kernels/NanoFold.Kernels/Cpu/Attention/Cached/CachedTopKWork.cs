using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Attention.Listed;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Top-k attention over a cache whose new keys are in place; an item is a batch row, a key head and a block of new tokens. Scores are
/// summed as the full pass sums them, so that both keep the same keys.
/// </summary>
internal readonly unsafe struct CachedTopKWork(CpuContext context, CachedProblem problem) : ILaneWork
{
    private const int MaxColumns = 32;

    private int TokenBlock => Math.Min(problem.Time, Math.Max(1, MaxColumns / problem.Group));

    public long Items => (long)problem.Batch * problem.KeyHeads * BlockSizes.Count(problem.Time, TokenBlock);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int blocksOfTokens = BlockSizes.Count(problem.Time, TokenBlock);
        long pair = item / blocksOfTokens;
        int batch = (int)(pair / problem.KeyHeads), keyHead = (int)(pair % problem.KeyHeads);
        int first = (int)(item % blocksOfTokens) * TokenBlock;
        int end = Math.Min(first + TokenBlock, problem.Time), count = Math.Clamp(problem.Count(batch) - first, 0, end - first);
        int firstHead = keyHead * problem.Group;
        for (int t = first + count; t < end; t++)
        {
            for (int h = firstHead; h < firstHead + problem.Group; h++)
            {
                HeadRow.Zero<V>(problem.Y.Row<V>(batch, t, h), problem.ValueDepth);
            }
        }

        if (count == 0)
        {
            return;
        }

        var lane = LaneSize.Of<V>();
        int most = TokenBlock * problem.Group, columns = count * problem.Group;
        int keep = Math.Min(problem.TopK, problem.Capacity);
        long bytes = new ScoreRows(null, most, problem.Depth, problem.ValueDepth, problem.Capacity, keep, lane).Bytes;
        var rows = new ScoreRows(context.Scratch(worker, bytes), most, problem.Depth, problem.ValueDepth, problem.Capacity, keep, lane);
        for (int c = 0; c < lane.Padded(most); c++)
        {
            Element.Set<V>(rows.Positions, c, c / problem.Group);
        }

        BlockPacking.Transposed<V>(
            problem.Q.Row<V>(batch, first, firstHead), problem.Q.Time, problem.Q.Head, problem.Group, columns, problem.Depth, rows.Queries, problem.Scale);
        int position = problem.Position(batch) + first;
        KeyBlocks keys = problem.Keys(batch, first, count);
        var blocks = new CacheBlocks(keys, problem.Capacity, problem.Rule.Sinks, 0, keys.Total);
        while (blocks.Next())
        {
            var mask = new BlockMask(blocks.Count, columns, problem.Group, blocks.First - position, blocks.RuleFrom(position));
            rows.Add<V>(mask, problem.KeyCache.Row<V>(batch, blocks.Slot, keyHead), problem.KeyCache.Time, blocks.Index, null, null);
        }

        for (int c = 0; c < columns; c++)
        {
            int size = rows.Select<V>(c, keys.Total, out double logSumExp);
            HeadRow.Zero<V>(rows.Output, lane.Padded(problem.ValueDepth));
            for (int i = 0; i < size; i++)
            {
                int slot = problem.Slot(keys.KeyAt(rows.Kept[i]));
                HeadRow.AddScaled(rows.Weight<V>(i), problem.ValueCache.Row<V>(batch, slot, keyHead), rows.Output, problem.ValueDepth);
            }

            void* y = problem.Y.Row<V>(batch, first + c / problem.Group, firstHead + c % problem.Group);
            HeadRow.Write(rows.Output, y, problem.ValueDepth, V.Constant(double.IsNaN(logSumExp) ? double.NaN : 1));
        }
    }
}
