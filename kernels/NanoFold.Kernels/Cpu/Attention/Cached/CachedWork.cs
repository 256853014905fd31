using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Attention over a cache; an item is a batch row, a block of key heads, a block of new tokens and a part of the visible keys. The query
/// heads of a key head are columns of one block, so keys and values are read once for all of them.
/// </summary>
internal readonly unsafe struct CachedWork(CpuContext context, CachedProblem problem, CachedPlan plan, CachedParts parts) : ILaneWork
{
    /// <summary>Below so many columns register tiles would be mostly empty.</summary>
    private const int MinTileColumns = 9;

    /// <summary>Keys of a block of tiles where heads take turns, one tile's: what was fetched for the last head is still in the first-level cache.</summary>
    private const int SharedBlockKeys = Tiles.Rows;

    public readonly CpuContext Context = context;
    public readonly CachedProblem Problem = problem;
    public readonly CachedPlan Plan = plan;
    public readonly CachedParts Parts = parts;

    public long Items => (long)Problem.Batch * HeadBlocks * Plan.TokenBlocks * Plan.Parts;

    private int HeadBlocks => Problem.KeyHeads / Plan.HeadBlock;

    public void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int part = (int)(item % Plan.Parts);
        int block = (int)(item / Plan.Parts % Plan.TokenBlocks);
        long pair = item / Plan.Parts / Plan.TokenBlocks;
        int batch = (int)(pair / HeadBlocks), firstHead = (int)(pair % HeadBlocks) * Plan.HeadBlock;
        int first = block * Plan.TokenBlock;
        int count = Math.Clamp(Problem.Count(batch) - first, 0, Plan.TokenBlock);
        if (part == 0)
        {
            ZeroRest<V>(batch, firstHead, first + count, Math.Min(first + Plan.TokenBlock, Problem.Time));
        }

        if (count == 0)
        {
            return;
        }

        bool areFew = count * Problem.Group < MinTileColumns;
        KeyBlocks keys = Problem.Keys(batch, first, count, areFew || Plan.HeadBlock == 1 ? BlockSizes.Keys : SharedBlockKeys);
        (int firstIndex, int endIndex) = Plan.Part(part, keys.Total);
        for (int h = firstHead; h < firstHead + Plan.HeadBlock && !Plan.AppendsFirst; h++)
        {
            Problem.Append<V>(batch, h, keys, firstIndex, endIndex);
        }

        var columns = new CachedColumns
        {
            Batch = batch,
            FirstHead = firstHead,
            First = first,
            Count = count,
            Part = part,
            Blocks = new CacheBlocks(keys, Problem.Capacity, Problem.Rule.Sinks, firstIndex, endIndex),
        };
        if (areFew)
        {
            GroupPass.Run<V>(this, columns, worker);
        }
        else
        {
            TilePass.Run<V>(this, columns, worker);
        }
    }

    private void ZeroRest<V>(int batch, int firstHead, int first, int end)
        where V : struct, ICpuLane<V>
    {
        for (int t = first; t < end; t++)
        {
            for (int h = firstHead * Problem.Group; h < (firstHead + Plan.HeadBlock) * Problem.Group; h++)
            {
                HeadRow.Zero<V>(Problem.Y.Row<V>(batch, t, h), Problem.ValueDepth);
            }
        }
    }
}

/// <summary>The queries of an item and the keys that they meet.</summary>
internal readonly struct CachedColumns
{
    public required int Batch { get; init; }

    /// <summary>The first of the plan's block of key heads.</summary>
    public required int FirstHead { get; init; }

    /// <summary>The first new token.</summary>
    public required int First { get; init; }

    /// <summary>New tokens, at least 1.</summary>
    public required int Count { get; init; }

    public required int Part { get; init; }

    public required CacheBlocks Blocks { get; init; }
}
