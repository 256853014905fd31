namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>How cached attention is cut: by blocks of new tokens, or, for few queries over long caches, by parts of the keys.</summary>
internal readonly struct CachedPlan
{
    private const int WantedItems = 32;
    private const int MaxColumns = 96;
    private const int MaxSplitColumns = 16;

    /// <summary>Keys that are worth a part of their own.</summary>
    private const int MinPartKeys = 256;

    public CachedPlan(in CachedProblem problem)
    {
        TokenBlock = Math.Max(1, MaxColumns / problem.Group);
        TokenBlocks = BlockSizes.Count(problem.Time, TokenBlock);
        long pairs = (long)problem.Batch * problem.KeyHeads;
        int wanted = (int)((WantedItems + pairs - 1) / pairs);
        Parts = problem.TopK == 0 && problem.Time * problem.Group <= MaxSplitColumns
            ? Math.Min(wanted, BlockSizes.Count(problem.Capacity, MinPartKeys))
            : 1;
    }

    /// <summary>New tokens of an item.</summary>
    public int TokenBlock { get; }

    public int TokenBlocks { get; }

    public int Parts { get; }

    /// <summary>Visible keys [first, end) of one part, by their index.</summary>
    public (int First, int End) Part(int part, int total)
    {
        if (Parts == 1)
        {
            return (0, total);
        }

        int each = Math.Max(MinPartKeys, BlockSizes.Count(total, Parts));
        return ((int)Math.Min(total, (long)part * each), (int)Math.Min(total, (part + 1L) * each));
    }
}
