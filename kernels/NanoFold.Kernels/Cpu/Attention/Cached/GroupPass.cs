using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// An item of cached attention with few columns: token by token, each key and each value is read once, where it lies, for the query heads that share it. Key heads take turns
/// after a few keys, as the heads of a position lie side by side in memory.
/// </summary>
internal static unsafe class GroupPass
{
    /// <summary>Keys after which the next head has its turn; a multiple of four.</summary>
    private const int TurnKeys = 16;

    /// <summary>Rows to ask the memory for ahead: rows of different heads interleave, which the processor does not follow by itself.</summary>
    private const int Ahead = 32;

    public static void Run<V>(in CachedWork work, in CachedColumns item, int worker)
        where V : struct, ICpuLane<V>
    {
        ref readonly CachedProblem problem = ref work.Problem;
        var states = new States(in work, item, worker, LaneSize.Of<V>());
        for (int i = 0; i < states.Count; i++)
        {
            Start<V>(work, item, states[i], i / states.Heads, item.FirstHead + i % states.Heads);
        }

        int position = problem.Position(item.Batch) + item.First;
        CacheBlocks blocks = item.Blocks;
        while (blocks.Next())
        {
            var mask = new BlockMask(blocks.Count, item.Count, 1, blocks.First - position, blocks.RuleFrom(position));
            for (int token = 0; token < item.Count; token++)
            {
                int low = mask.KeyLow(token), visible = mask.KeyHigh(token) - low;
                if (visible > 0)
                {
                    TakeIn<V>(problem, item, states, token, blocks.Slot + low, visible);
                }
            }
        }

        for (int i = 0; i < states.Count; i++)
        {
            Finish<V>(work, item, states[i], i / states.Heads, item.FirstHead + i % states.Heads);
        }
    }

    private static void Start<V>(in CachedWork work, in CachedColumns item, in GroupState state, int token, int keyHead)
        where V : struct, ICpuLane<V>
    {
        ref readonly CachedProblem problem = ref work.Problem;
        for (int i = 0; i < problem.Group; i++)
        {
            int head = keyHead * problem.Group + i;
            state.Reset<V>(i, problem.Q.Row<V>(item.Batch, item.First + token, head), problem.Scale);
            if (problem.HasSinkLogits && item.Part == 0)
            {
                state.Join<V>(i, problem.SinkLogit<V>(head));
            }
        }
    }

    private static void TakeIn<V>(in CachedProblem problem, in CachedColumns item, in States states, int token, int slot, int count)
        where V : struct, ICpuLane<V>
    {
        int turnKeys = states.Heads == 1 ? count : TurnKeys;
        for (int j = 0; j < count; j += turnKeys)
        {
            int turn = Math.Min(turnKeys, count - j);
            for (int h = 0; h < states.Heads; h++)
            {
                states[token * states.Heads + h].Score<V>(j, turn, problem.KeyCache.Rows(item.Batch, slot + j, item.FirstHead + h), Ahead);
            }
        }

        for (int i = 0; i < states.Heads * problem.Group; i++)
        {
            int head = item.FirstHead * problem.Group + i;
            double own = problem.HasDecay ? Element.Get<V>(problem.Decay<V>(item.Batch, head, item.First + token), 0) : 0;
            states[token * states.Heads + i / problem.Group].Weigh<V>(i % problem.Group, count, own, problem.HasDecay ? problem.CachedDecay<V>(item.Batch, head, slot) : null, problem.Cap);
        }

        for (int j = 0; j < count; j += turnKeys)
        {
            int turn = Math.Min(turnKeys, count - j);
            for (int h = 0; h < states.Heads; h++)
            {
                states[token * states.Heads + h].Add<V>(j, turn, problem.ValueCache.Rows(item.Batch, slot + j, problem.ValueHead(item.FirstHead + h)), Ahead);
            }
        }
    }

    private static void Finish<V>(in CachedWork work, in CachedColumns item, in GroupState state, int token, int keyHead)
        where V : struct, ICpuLane<V>
    {
        ref readonly CachedProblem problem = ref work.Problem;
        for (int i = 0; i < problem.Group; i++)
        {
            if (work.Plan.Parts == 1)
            {
                state.Finish<V>(i, problem.Y.Row<V>(item.Batch, item.First + token, keyHead * problem.Group + i));
            }
            else
            {
                state.Export<V>(i, work.Parts.Column<V>(problem, item.Batch, keyHead, item.Part, token * problem.Group + i));
            }
        }
    }

    /// <summary>A state for each token and key head, the heads of a token side by side.</summary>
    private readonly ref struct States
    {
        private readonly byte* _memory;
        private readonly long _bytes;
        private readonly int _group, _depth, _valueDepth;
        private readonly LaneSize _lane;

        public States(in CachedWork work, in CachedColumns item, int worker, LaneSize lane)
        {
            _group = work.Problem.Group;
            _depth = work.Problem.Depth;
            _valueDepth = work.Problem.ValueDepth;
            _lane = lane;
            Heads = work.Plan.HeadBlock;
            Count = item.Count * Heads;
            _bytes = new GroupState(null, _group, _depth, _valueDepth, lane).Bytes;
            _memory = (byte*)work.Context.Scratch(worker, _bytes * Count);
        }

        public int Heads { get; }

        public int Count { get; }

        public GroupState this[int i] => new(_memory + i * _bytes, _group, _depth, _valueDepth, _lane);
    }
}
