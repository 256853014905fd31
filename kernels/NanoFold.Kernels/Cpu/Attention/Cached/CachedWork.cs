using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Attention over a cache; an item is a batch row, a block of key heads, a block of new tokens and a part of the visible keys. The query
/// heads of a key head are columns of one block, so keys and values are read once for all of them.
/// </summary>
internal readonly unsafe struct CachedWork(CpuContext context, CachedProblem problem, CachedPlan plan, CachedParts parts) : ILaneWork
{
    /// <summary>Below so many columns the register tiles would be mostly empty.</summary>
    private const int MinTileColumns = 4;

    /// <summary>Keys shorter than this lie close together: the processor itself fetches them ahead.</summary>
    private const int LineBytes = 64;

    private int HeadBlocks => problem.KeyHeads / plan.HeadBlock;

    public long Items => (long)problem.Batch * HeadBlocks * plan.TokenBlocks * plan.Parts;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int part = (int)(item % plan.Parts);
        int block = (int)(item / plan.Parts % plan.TokenBlocks);
        long pair = item / plan.Parts / plan.TokenBlocks;
        int batch = (int)(pair / HeadBlocks), firstHead = (int)(pair % HeadBlocks) * plan.HeadBlock;
        int first = block * plan.TokenBlock;
        int count = Math.Clamp(problem.Count(batch) - first, 0, plan.TokenBlock);
        if (part == 0)
        {
            ZeroRest<V>(batch, firstHead, first + count, Math.Min(first + plan.TokenBlock, problem.Time));
        }

        if (count == 0)
        {
            return;
        }

        KeyBlocks keys = problem.Keys(batch, first, count, plan.BlockKeys);
        (int firstIndex, int endIndex) = plan.Part(part, keys.Total);
        for (int h = firstHead; h < firstHead + plan.HeadBlock && !plan.AppendsFirst; h++)
        {
            problem.Append<V>(batch, h, keys, firstIndex, endIndex);
        }

        var blocks = new CacheBlocks(keys, problem.Capacity, problem.Rule.Sinks, firstIndex, endIndex);
        if (count * problem.Group < MinTileColumns)
        {
            Rows<V>(worker, batch, firstHead, first, count, part, blocks);
        }
        else
        {
            Columns<V>(worker, batch, firstHead, first, count, part, blocks);
        }
    }

    private void ZeroRest<V>(int batch, int firstHead, int first, int end)
        where V : struct, ICpuLane<V>
    {
        for (int t = first; t < end; t++)
        {
            for (int h = firstHead * problem.Group; h < (firstHead + plan.HeadBlock) * problem.Group; h++)
            {
                HeadRow.Zero<V>(problem.Y.Row<V>(batch, t, h), problem.ValueDepth);
            }
        }
    }

    private void Rows<V>(int worker, int batch, int firstHead, int first, int count, int part, CacheBlocks blocks)
        where V : struct, ICpuLane<V>
    {
        var lane = LaneSize.Of<V>();
        int columns = count * problem.Group;
        long bytes = new DecodeState(null, problem.Depth, problem.ValueDepth, lane).Bytes;
        byte* memory = (byte*)context.Scratch(worker, bytes * columns * plan.HeadBlock);
        for (int i = 0; i < columns * plan.HeadBlock; i++)
        {
            int c = i % columns, head = (firstHead + i / columns) * problem.Group + c % problem.Group;
            var state = new DecodeState(memory + i * bytes, problem.Depth, problem.ValueDepth, lane);
            state.Reset<V>(problem.Q.Row<V>(batch, first + c / problem.Group, head), problem.Scale);
            if (problem.HasSinkLogits && part == 0)
            {
                state.Join<V>(problem.SinkLogit<V>(head));
            }
        }

        int position = problem.Position(batch) + first;
        while (blocks.Next())
        {
            var mask = new BlockMask(blocks.Count, columns, problem.Group, blocks.First - position, blocks.RuleFrom(position));
            for (int i = 0; i < columns * plan.HeadBlock; i++)
            {
                int c = i % columns, h = i / columns, slot = blocks.Slot + mask.KeyLow(c);
                int visible = mask.KeyHigh(c) - mask.KeyLow(c);
                if (visible <= 0)
                {
                    continue;
                }

                var rows = new CacheRows(
                    problem.KeyCache.Row<V>(batch, slot, firstHead + h), problem.KeyCache.Time,
                    problem.ValueCache.Row<V>(batch, slot, problem.ValueHead(firstHead + h)), problem.ValueCache.Time, visible);
                if (c == 0 && problem.Depth * lane.Bytes >= LineBytes)
                {
                    rows = Ahead<V>(rows, batch, blocks.Slot, blocks.Count, h);
                }

                int head = (firstHead + h) * problem.Group + c % problem.Group;
                double own = problem.HasDecay ? Element.Get<V>(problem.Decay<V>(batch, head, first + c / problem.Group), 0) : 0;
                new DecodeState(memory + i * bytes, problem.Depth, problem.ValueDepth, lane)
                    .Add<V>(rows, own, problem.HasDecay ? problem.CachedDecay<V>(batch, head, slot) : null, problem.Cap);
            }
        }

        for (int i = 0; i < columns * plan.HeadBlock; i++)
        {
            int c = i % columns, keyHead = firstHead + i / columns;
            var state = new DecodeState(memory + i * bytes, problem.Depth, problem.ValueDepth, lane);
            if (plan.Parts == 1)
            {
                state.Finish<V>(problem.Y.Row<V>(batch, first + c / problem.Group, keyHead * problem.Group + c % problem.Group));
            }
            else
            {
                state.Export<V>(parts.Column<V>(problem, batch, keyHead, part, c));
            }
        }
    }

    /// <summary>
    /// What to ask the memory for meanwhile: rows ahead of a single head; a piece of the next block, in the order of memory, where all
    /// heads take turns on a block.
    /// </summary>
    private CacheRows Ahead<V>(in CacheRows rows, int batch, int slot, int count, int head)
        where V : struct, ICpuLane<V>
    {
        if (plan.HeadBlock == 1)
        {
            return rows.WithAhead(Element.At<V>(rows.Keys, CacheRows.Distance * rows.KeyRow), rows.KeyRow, rows.Values, rows.ValueRow);
        }

        void* keys = problem.KeyCache.Row<V>(batch, slot + count, 0), values = problem.ValueCache.Row<V>(batch, slot + count, 0);
        return rows.WithAhead(
            Element.At<V>(keys, (nint)head * count * problem.Depth), problem.Depth,
            Element.At<V>(values, (nint)head * count * problem.ValueDepth), problem.ValueDepth);
    }

    private void Columns<V>(int worker, int batch, int firstHead, int first, int count, int part, CacheBlocks blocks)
        where V : struct, ICpuLane<V>
    {
        var lane = LaneSize.Of<V>();
        int most = Math.Min(plan.TokenBlock, problem.Time) * problem.Group, columns = count * problem.Group;
        long bytes = new TileScratch(null, problem, most, plan.HeadBlock, lane).Bytes;
        var scratch = new TileScratch(context.Scratch(worker, bytes), problem, most, plan.HeadBlock, lane);
        nint scoreRow = lane.Padded(most);
        for (int c = 0; c < scoreRow; c++)
        {
            Element.Set<V>(scratch.Positions, c, c / problem.Group);
        }

        for (int h = 0; h < plan.HeadBlock; h++)
        {
            scratch.State(h).Start<V>(
                problem.Q.Row<V>(batch, first, (firstHead + h) * problem.Group), problem.Q.Time, problem.Q.Head, problem.Group, columns, problem.Depth,
                problem.Scale);
            for (int c = 0; c < columns && problem.HasSinkLogits && part == 0; c++)
            {
                scratch.State(h).Join<V>(c, 1, problem.SinkLogit<V>(((firstHead + h) * problem.Group) + (c % problem.Group)));
            }
        }

        int position = problem.Position(batch) + first;
        while (blocks.Next())
        {
            var mask = new BlockMask(blocks.Count, columns, problem.Group, blocks.First - position, blocks.RuleFrom(position));
            for (int h = 0; h < plan.HeadBlock; h++)
            {
                OnlineSoftmax state = scratch.State(h);
                void* keys = problem.KeyCache.Row<V>(batch, blocks.Slot, firstHead + h), values = problem.ValueCache.Row<V>(batch, blocks.Slot, problem.ValueHead(firstHead + h));
                mask.Products<V>(keys, problem.KeyCache.Time, problem.Depth, state.Queries, scratch.Scores, scoreRow);
                mask.Cap<V>(scratch.Scores, scoreRow, problem.Cap * SoftmaxPower.BitsPerNat);
                if (problem.HasDecay)
                {
                    int head = (firstHead + h) * problem.Group;
                    mask.AddDecay<V>(
                        scratch.Scores, scoreRow, problem.Decay<V>(batch, head, first), problem.Time,
                        problem.CachedDecay<V>(batch, head, blocks.Slot), problem.Capacity, SoftmaxPower.BitsPerNat);
                }

                mask.Apply<V>(scratch.Scores, scoreRow, scratch.Positions);
                BlockPacking.Rows<V>(values, problem.ValueCache.Time, blocks.Count, problem.ValueDepth, scratch.Values, BlockSizes.Keys, 0, 1);
                state.Add<V>(mask, scratch.Scores, scoreRow, scratch.Values, BlockSizes.Keys);
            }
        }

        for (int i = 0; i < columns * plan.HeadBlock; i++)
        {
            int c = i % columns, keyHead = firstHead + i / columns;
            OnlineSoftmax state = scratch.State(i / columns);
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
        private readonly int _columns, _depth, _valueDepth;
        private readonly LaneSize _lane;
        private readonly byte* _states;
        private readonly long _stateBytes;

        public TileScratch(void* memory, in CachedProblem problem, int columns, int heads, LaneSize lane)
        {
            _columns = columns;
            _depth = problem.Depth;
            _valueDepth = problem.ValueDepth;
            _lane = lane;
            var cursor = new ScratchCursor(memory);
            Scores = cursor.Take((long)BlockSizes.Keys * lane.Padded(columns) * lane.Bytes);
            Values = cursor.Take((long)BlockSizes.Keys * lane.Padded(problem.ValueDepth) * lane.Bytes);
            Positions = cursor.Take((long)lane.Padded(columns) * lane.Bytes);
            _stateBytes = new OnlineSoftmax(null, columns, _depth, _valueDepth, lane).Bytes;
            _states = (byte*)cursor.Take(_stateBytes * heads);
            Bytes = cursor.Used;
        }

        public void* Scores { get; }

        public void* Values { get; }

        /// <summary>Position of each column within the block.</summary>
        public void* Positions { get; }

        public long Bytes { get; }

        public OnlineSoftmax State(int head) => new(_states + head * _stateBytes, _columns, _depth, _valueDepth, _lane);
    }
}
