using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>An item of cached attention with many columns: tiles in registers over packed queries and values, as in attention without a cache.</summary>
internal static unsafe class TilePass
{
    public static void Run<V>(in CachedWork work, in CachedColumns item, int worker)
        where V : struct, ICpuLane<V>
    {
        ref readonly CachedProblem problem = ref work.Problem;
        ref readonly CachedPlan plan = ref work.Plan;
        var lane = LaneSize.Of<V>();
        int most = Math.Min(plan.TokenBlock, problem.Time) * problem.Group, columns = item.Count * problem.Group;
        long bytes = new TileScratch(null, problem.Depth, problem.ValueDepth, most, plan.HeadBlock, lane).Bytes;
        int widenedKeys = problem.KeyCache.IsNarrow ? BlockSizes.Keys * problem.Depth * sizeof(float) : 0, widenedValues = problem.KeyCache.IsNarrow ? BlockSizes.Keys * problem.ValueDepth * sizeof(float) : 0;
        byte* memory = (byte*)work.Context.Scratch(worker, bytes + widenedKeys + widenedValues);
        var scratch = new TileScratch(memory, problem.Depth, problem.ValueDepth, most, plan.HeadBlock, lane);
        nint scoreRow = scratch.ScoreRow;
        for (int c = 0; c < scoreRow; c++)
        {
            Element.Set<V>(scratch.Positions, c, c / problem.Group);
        }

        for (int h = 0; h < plan.HeadBlock; h++)
        {
            scratch.State(h).Start<V>(
                problem.Q.Row<V>(item.Batch, item.First, (item.FirstHead + h) * problem.Group), problem.Q.Time, problem.Q.Head, problem.Group, columns, problem.Depth,
                problem.Scale);
            for (int c = 0; c < columns && problem.HasSinkLogits && item.Part == 0; c++)
            {
                scratch.State(h).Join<V>(c, 1, problem.SinkLogit<V>(((item.FirstHead + h) * problem.Group) + (c % problem.Group)));
            }
        }

        int position = problem.Position(item.Batch) + item.First;
        CacheBlocks blocks = item.Blocks;
        while (blocks.Next())
        {
            var mask = new BlockMask(blocks.Count, columns, problem.Group, blocks.First - position, blocks.RuleFrom(position));
            for (int h = 0; h < plan.HeadBlock; h++)
            {
                OnlineSoftmax state = scratch.State(h);
                void* keys = problem.KeyCache.Take<V>(item.Batch, blocks.Slot, item.FirstHead + h, blocks.Count, problem.Depth, memory + bytes, out nint keyRow);
                mask.Products<V>(keys, keyRow, problem.Depth, state.Queries, scratch.Scores, scoreRow);
                mask.Cap<V>(scratch.Scores, scoreRow, problem.Cap * SoftmaxPower.BitsPerNat);
                if (problem.HasDecay)
                {
                    int head = (item.FirstHead + h) * problem.Group;
                    mask.AddDecay<V>(
                        scratch.Scores, scoreRow, problem.Decay<V>(item.Batch, head, item.First), problem.Time,
                        problem.CachedDecay<V>(item.Batch, head, blocks.Slot), problem.Capacity, SoftmaxPower.BitsPerNat);
                }

                mask.Hide<V>(scratch.Scores, scoreRow, scratch.Positions);
                void* values = problem.ValueCache.Take<V>(item.Batch, blocks.Slot, problem.ValueHead(item.FirstHead + h), blocks.Count, problem.ValueDepth, memory + bytes + widenedKeys, out nint valueRow);
                BlockPacking.Rows<V>(values, valueRow, blocks.Count, problem.ValueDepth, scratch.Values, BlockSizes.Keys, 0, 1);
                state.Add<V>(mask, scratch.Scores, scoreRow, RowPanels.Packed<V>(scratch.Values, BlockSizes.Keys, LaneSize.Of<V>().Lanes(problem.ValueDepth)));
            }
        }

        for (int i = 0; i < columns * plan.HeadBlock; i++)
        {
            int c = i % columns, keyHead = item.FirstHead + i / columns;
            OnlineSoftmax state = scratch.State(i / columns);
            if (plan.Parts == 1)
            {
                state.Finish<V>(c, 1, problem.Y.Row<V>(item.Batch, item.First + c / problem.Group, keyHead * problem.Group + c % problem.Group), 0);
            }
            else
            {
                state.Export<V>(c, work.Parts.Column<V>(problem, item.Batch, keyHead, item.Part, c));
            }
        }
    }
}
