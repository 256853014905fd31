using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>Adds the parts of dk, dv and dc in their order and writes them, for a batch row, a value head and a block of keys.</summary>
internal readonly unsafe struct GradientSumWork(AttentionProblem problem, GradientProblem gradients) : ILaneWork
{
    private const int BlockKeys = 128;

    public long Items => (long)problem.Batch * problem.ValueHeads * BlockSizes.Count(problem.Keys, BlockKeys);

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int blocks = BlockSizes.Count(problem.Keys, BlockKeys);
        long pair = item / blocks;
        int batch = (int)(pair / problem.ValueHeads), valueHead = (int)(pair % problem.ValueHeads);
        int first = (int)(item % blocks) * BlockKeys, end = Math.Min(first + BlockKeys, problem.Keys);
        Part* all = stackalloc Part[GradientPlan.MaxParts];
        for (int p = 0; p < gradients.Plan.Parts; p++)
        {
            int from = p * gradients.Plan.PartRows;
            KeyBlocks range = problem.KeysOf(batch, from, Math.Min(from + gradients.Plan.PartRows, problem.Time) - 1);
            all[p] = new Part(gradients.Partial(problem, batch, valueHead, p), range);
        }

        var parts = new ReadOnlySpan<Part>(all, gradients.Plan.Parts);
        for (int i = 0; i < problem.KeyGroup && !gradients.DK.IsNone; i++)
        {
            int head = (valueHead * problem.KeyGroup) + i;
            for (int j = first; j < end; j++)
            {
                Sum<V>(parts, j, i, gradients.DK.Row<V>(batch, j, head), problem.Depth, gradients.AccumulateK);
            }
        }

        for (int j = first; j < end && !gradients.DV.IsNone; j++)
        {
            Sum<V>(parts, j, -1, gradients.DV.Row<V>(batch, j, valueHead), problem.ValueDepth, gradients.AccumulateV);
        }

        if (gradients.WantsDecay)
        {
            AddDecays<V>(parts, first, end);
            gradients.WriteDecay<V>(problem, parts[0].Sums, batch, first, end, valueHead);
        }
    }

    /// <param name="parts">In their order.</param>
    /// <param name="key">Whose row.</param>
    /// <param name="head">Key head, or less than 0 for the value.</param>
    /// <param name="target">Where it is to be.</param>
    /// <param name="depth">Elements of the row.</param>
    /// <param name="accumulate">Whether target is added to.</param>
    private static void Sum<V>(ReadOnlySpan<Part> parts, int key, int head, void* target, int depth, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        void** rows = stackalloc void*[GradientPlan.MaxParts];
        int count = 0;
        foreach (ref readonly Part part in parts)
        {
            if (part.Meets(key))
            {
                rows[count++] = head < 0 ? part.Sums.Value<V>(key) : part.Sums.Key<V>(head, key);
            }
        }

        // What the first part does not meet is 0 there.
        bool startsAtZero = !parts[0].Meets(key);
        for (int i = 0; i < depth; i += V.Width)
        {
            V sum = startsAtZero ? default : V.Load(rows[0], i);
            for (int p = startsAtZero ? 0 : 1; p < count; p++)
            {
                sum += V.Load(rows[p], i);
            }

            if (i + V.Width <= depth)
            {
                V.Store(target, i, accumulate ? V.Load(target, i) + sum : sum);
            }
            else
            {
                V.StorePart(target, i, depth - i, accumulate ? V.LoadPart(target, i, depth - i) + sum : sum);
            }
        }
    }

    /// <summary>dc of the first part becomes that of all.</summary>
    private static void AddDecays<V>(ReadOnlySpan<Part> parts, int first, int end)
        where V : struct, ICpuLane<V>
    {
        KeyGradients sums = parts[0].Sums;
        for (int j = first; j < end; j++)
        {
            if (!parts[0].Meets(j))
            {
                sums.ZeroDecay<V>(j, j + 1);
            }

            foreach (ref readonly Part part in parts[1..])
            {
                if (part.Meets(j))
                {
                    sums.AddDecay<V>(j, part.Sums);
                }
            }
        }
    }

    /// <summary>Sums of a part, and the keys that its queries may see.</summary>
    private readonly struct Part(in KeyGradients sums, in KeyBlocks range)
    {
        private readonly int _sinkEnd = range.SinkEnd, _start = range.Start, _end = range.End;

        public KeyGradients Sums { get; } = sums;

        public bool Meets(int key) => key < _sinkEnd || (key >= _start && key < _end);
    }
}
