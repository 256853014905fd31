using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// How cached attention is cut: by key heads and blocks of new tokens, or, for few queries over long caches, by parts of the keys.
/// Caches too large for the processor's are read for all heads at once, as the heads of a position lie side by side in memory.
/// </summary>
internal readonly struct CachedPlan
{
    private const int WantedItems = 32;
    private const int MaxColumns = 96;
    private const int MaxSplitColumns = 16;
    private const long LargeBytes = 2 << 20;

    /// <summary>Keys that are worth a part of their own.</summary>
    private const int MinPartKeys = 256;

    /// <param name="problem">What is cut.</param>
    /// <param name="sequences">Parts of the batch that are cut as if each were there alone, see <see cref="Backend.Sequences"/>.</param>
    public CachedPlan(in CachedProblem problem, int sequences = 1)
    {
        TokenBlock = Math.Max(1, MaxColumns / problem.Group);
        TokenBlocks = BlockSizes.Count(problem.Time, TokenBlock);
        HeadBlock = 1;
        Parts = Cuts = 1;
        AppendsFirst = TokenBlocks > 1 || problem.ValueHeads < problem.KeyHeads;
        if (problem.Time * problem.Group > MaxSplitColumns)
        {
            return;
        }

        long bytes = (long)problem.Capacity * problem.KeyHeads * (problem.Depth + problem.ValueDepth) * problem.CacheType.Size();
        if (bytes > LargeBytes)
        {
            HeadBlock = problem.KeyHeads;
        }

        long items = (long)Math.Max(1, problem.Batch / sequences) * (problem.KeyHeads / HeadBlock);
        Parts = Cuts = (int)Math.Min((WantedItems + items - 1) / items, BlockSizes.Count(problem.Capacity, MinPartKeys));
    }

    /// <summary>Key heads of an item.</summary>
    public int HeadBlock { get; }

    /// <summary>New tokens of an item.</summary>
    public int TokenBlock { get; }

    public int TokenBlocks { get; }

    /// <summary>Whether items share what is new, which is written to the cache before any of them starts.</summary>
    public bool AppendsFirst { get; }

    /// <summary>Parts of the keys that there are.</summary>
    public int Parts { get; private init; }

    // Parts into which as many keys as there are at most would be cut, see Part.
    private int Cuts { get; init; }

    /// <summary>The same where no row sees more keys than these: without the parts that would be empty, to the same bits.</summary>
    public CachedPlan For(int keys) => this with { Parts = Math.Min(Parts, BlockSizes.Count(Math.Max(keys, 1), MinPartKeys)) };

    /// <summary>Visible keys [first, end) of one part, by their index.</summary>
    public (int First, int End) Part(int part, int total)
    {
        if (Parts == 1)
        {
            return (0, total);
        }

        int each = Math.Max(MinPartKeys, BlockSizes.Count(total, Cuts));
        return ((int)Math.Min(total, (long)part * each), (int)Math.Min(total, (part + 1L) * each));
    }
}

/// <summary>Softmax states of the parts of the keys, one per query column: maximum, sum, unnormalized output.</summary>
internal readonly unsafe struct CachedParts(void* memory, CachedPlan plan)
{
    private const int Lanes = 16;

    public static long Bytes(in CachedProblem problem, in CachedPlan plan) =>
        plan.Parts == 1 ? 0 : (long)problem.Batch * problem.KeyHeads * plan.Parts * problem.Time * problem.Group * Row(problem) * problem.Type.Size();

    public void* Column<V>(in CachedProblem problem, int batch, int keyHead, int part, int column)
        where V : struct, ICpuLane<V>
    {
        long pair = (long)batch * problem.KeyHeads + keyHead;
        return Element.At<V>(memory, (nint)((((pair * plan.Parts) + part) * problem.Time * problem.Group + column) * Row(problem)));
    }

    private static int Row(in CachedProblem problem) => BlockSizes.Count(2 + problem.ValueDepth, Lanes) * Lanes;
}
