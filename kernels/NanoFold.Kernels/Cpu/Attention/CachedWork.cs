using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// Attention over a cache; an item is a batch row, a key head, a block of new tokens and a part of the visible keys. The query heads of
/// a key head are columns of one block, so keys and values are read once for all of them.
/// </summary>
internal readonly unsafe struct CachedWork(CpuContext context, CachedProblem problem, CachedPlan plan, CachedParts parts) : ILaneWork
{
    /// <summary>Below so many columns the register tiles would be mostly empty.</summary>
    private const int MinTileColumns = 4;

    public long Items => (long)problem.Batch * problem.KeyHeads * plan.TokenBlocks * plan.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int part = (int)(item % plan.Parts);
        int block = (int)(item / plan.Parts % plan.TokenBlocks);
        long pair = item / plan.Parts / plan.TokenBlocks;
        int batch = (int)(pair / problem.KeyHeads), keyHead = (int)(pair % problem.KeyHeads);
        int first = block * plan.TokenBlock, total = problem.Count(batch);
        int count = Math.Clamp(total - first, 0, plan.TokenBlock);
        if (part == 0)
        {
            ZeroRest<V>(batch, keyHead, first + count, Math.Min(first + plan.TokenBlock, problem.Time));
        }

        if (count == 0)
        {
            return;
        }

        KeyBlocks keys = problem.Keys(batch, first, count);
        (int firstIndex, int endIndex) = plan.Part(part, keys.Total);
        if (plan.TokenBlocks == 1)
        {
            problem.Append<V>(batch, keyHead, keys, firstIndex, endIndex);
        }

        if (count * problem.Group < MinTileColumns)
        {
            Rows<V>(worker, batch, keyHead, first, count, part, firstIndex, endIndex);
        }
        else
        {
            Columns<V>(worker, batch, keyHead, first, count, part, firstIndex, endIndex);
        }
    }

    private void ZeroRest<V>(int batch, int keyHead, int first, int end)
        where V : struct, ICpuLane<V>
    {
        for (int t = first; t < end; t++)
        {
            for (int h = 0; h < problem.Group; h++)
            {
                HeadRow.Zero<V>(problem.Y.Row<V>(batch, t, keyHead * problem.Group + h), problem.ValueDepth);
            }
        }
    }

    private void Rows<V>(int worker, int batch, int keyHead, int first, int count, int part, int firstIndex, int endIndex)
        where V : struct, ICpuLane<V>
    {
        var lane = LaneSize.Of<V>();
        int columns = count * problem.Group;
        long bytes = new DecodeState(null, problem.Depth, problem.ValueDepth, lane).Bytes;
        byte* memory = (byte*)context.Scratch(worker, bytes * columns);
        for (int c = 0; c < columns; c++)
        {
            new DecodeState(memory + c * bytes, problem.Depth, problem.ValueDepth, lane).Reset<V>(problem.Q.Row<V>(batch, first + c / problem.Group, keyHead * problem.Group + c % problem.Group), problem.Scale);
        }

        int position = problem.Position(batch) + first;
        CacheBlocks blocks = problem.Blocks(batch, first, count, firstIndex, endIndex);
        while (blocks.Next())
        {
            var mask = new BlockMask(blocks.Count, columns, problem.Group, blocks.First - position, true, blocks.Window);
            for (int c = 0; c < columns; c++)
            {
                int low = mask.KeyLow(c), high = mask.KeyHigh(c);
                if (low < high)
                {
                    new DecodeState(memory + c * bytes, problem.Depth, problem.ValueDepth, lane).Add<V>(
                        problem.KeyCache.Row<V>(batch, blocks.Slot + low, keyHead), problem.KeyCache.Time,
                        problem.ValueCache.Row<V>(batch, blocks.Slot + low, keyHead), problem.ValueCache.Time, high - low);
                }
            }
        }

        for (int c = 0; c < columns; c++)
        {
            if (plan.Parts == 1)
            {
                new DecodeState(memory + c * bytes, problem.Depth, problem.ValueDepth, lane).Finish<V>(problem.Y.Row<V>(batch, first + c / problem.Group, keyHead * problem.Group + c % problem.Group));
            }
            else
            {
                new DecodeState(memory + c * bytes, problem.Depth, problem.ValueDepth, lane).Export<V>(parts.Column<V>(problem, batch, keyHead, part, c));
            }
        }
    }

    private void Columns<V>(int worker, int batch, int keyHead, int first, int count, int part, int firstIndex, int endIndex)
        where V : struct, ICpuLane<V>
    {
        var lane = LaneSize.Of<V>();
        int most = Math.Min(plan.TokenBlock, problem.Time) * problem.Group, columns = count * problem.Group;
        long bytes = new TileScratch(null, problem, most, lane).Bytes;
        var scratch = new TileScratch(context.Scratch(worker, bytes), problem, most, lane);
        OnlineSoftmax state = scratch.State;
        nint scoreRow = lane.Padded(most);
        for (int c = 0; c < scoreRow; c++)
        {
            Element.Set<V>(scratch.Positions, c, c / problem.Group);
        }

        state.Reset<V>();
        Packing.Transposed<V>(
            problem.Q.Row<V>(batch, first, keyHead * problem.Group), problem.Q.Time, problem.Q.Head, problem.Group, columns, problem.Depth, state.Queries, problem.Scale);
        int position = problem.Position(batch) + first;
        CacheBlocks blocks = problem.Blocks(batch, first, count, firstIndex, endIndex);
        while (blocks.Next())
        {
            var mask = new BlockMask(blocks.Count, columns, problem.Group, blocks.First - position, true, blocks.Window);
            mask.Products<V>(problem.KeyCache.Row<V>(batch, blocks.Slot, keyHead), problem.KeyCache.Time, problem.Depth, state.Queries, scratch.Scores, scoreRow);
            mask.Apply<V>(scratch.Scores, scoreRow, scratch.Positions);
            Packing.Rows<V>(
                problem.ValueCache.Row<V>(batch, blocks.Slot, keyHead), problem.ValueCache.Time, blocks.Count, problem.ValueDepth, scratch.Values, BlockSizes.Keys, 0, 1);
            state.Add<V>(mask, scratch.Scores, scoreRow, scratch.Values, BlockSizes.Keys);
        }

        for (int c = 0; c < columns; c++)
        {
            if (plan.Parts == 1)
            {
                state.Finish<V>(c, 1, problem.Y.Row<V>(batch, first + c / problem.Group, keyHead * problem.Group + c % problem.Group), 0);
            }
            else
            {
                state.Export<V>(c, parts.Column<V>(problem, batch, keyHead, part, c));
            }
        }
    }

    private readonly struct TileScratch
    {
        public TileScratch(void* memory, in CachedProblem problem, int columns, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            Scores = cursor.Take((long)BlockSizes.Keys * lane.Padded(columns) * lane.Bytes);
            Values = cursor.Take((long)BlockSizes.Keys * lane.Padded(problem.ValueDepth) * lane.Bytes);
            Positions = cursor.Take((long)lane.Padded(columns) * lane.Bytes);
            long stateBytes = new OnlineSoftmax(null, columns, problem.Depth, problem.ValueDepth, lane).Bytes;
            State = new OnlineSoftmax(cursor.Take(stateBytes), columns, problem.Depth, problem.ValueDepth, lane);
            Bytes = cursor.Used;
        }

        public void* Scores { get; }

        public void* Values { get; }

        /// <summary>Position of each column within the block.</summary>
        public void* Positions { get; }

        public OnlineSoftmax State { get; }

        public long Bytes { get; }
    }
}
