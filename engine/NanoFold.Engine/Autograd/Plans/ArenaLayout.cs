namespace NanoFold.Engine.Autograd;

/// <summary>
/// Packs memory blocks that live for known stretches of a plan into one arena: largest first, each at the lowest offset
/// that is free for its whole life (greedy by size, as in arXiv 2001.03288).
/// </summary>
internal sealed class ArenaLayout
{
    private const long Alignment = 256;

    private readonly List<Block> _blocks = [];

    /// <summary>Adds a block; its life begins at step <paramref name="first"/>. Returns its number.</summary>
    public int Add(long bytes, int first)
    {
        _blocks.Add(new Block { Bytes = (bytes + Alignment - 1) / Alignment * Alignment, First = first, Last = first });
        return _blocks.Count - 1;
    }

    /// <summary>The block is used at this step too.</summary>
    public void Touch(int block, int step)
    {
        _blocks[block].First = Math.Min(_blocks[block].First, step);
        _blocks[block].Last = Math.Max(_blocks[block].Last, step);
    }

    public long Offset(int block) => _blocks[block].Offset;

    public long Bytes(int block) => _blocks[block].Bytes;

    public bool IsLive(int block, int step) => _blocks[block].First <= step && step <= _blocks[block].Last;

    /// <summary>Bytes of the blocks that live at each of the first <paramref name="steps"/> steps.</summary>
    public long[] LiveBytes(int steps)
    {
        var live = new long[steps + 1];
        foreach (Block block in _blocks)
        {
            live[Math.Min(block.First, steps)] += block.Bytes;
            live[Math.Min(block.Last + 1, steps)] -= block.Bytes;
        }

        for (int step = 1; step < steps; step++)
        {
            live[step] += live[step - 1];
        }

        return live[..steps];
    }

    /// <summary>Places all blocks; returns the bytes of the arena.</summary>
    public long Place()
    {
        var placed = new List<Block>(_blocks.Count);
        long total = 0;
        foreach (Block block in _blocks.OrderByDescending(b => b.Bytes).ThenBy(b => b.First))
        {
            long offset = 0;
            // Placed blocks are kept by offset, so the first gap that fits is the lowest.
            foreach (Block other in placed)
            {
                if (other.First <= block.Last && block.First <= other.Last)
                {
                    if (offset + block.Bytes <= other.Offset)
                    {
                        break;
                    }

                    offset = Math.Max(offset, other.Offset + other.Bytes);
                }
            }

            block.Offset = offset;
            int index = placed.FindIndex(o => o.Offset > offset);
            placed.Insert(index < 0 ? placed.Count : index, block);
            total = Math.Max(total, offset + block.Bytes);
        }

        return Math.Max(total, Alignment);
    }

    private sealed class Block
    {
        public long Bytes { get; init; }

        public int First { get; set; }

        public int Last { get; set; }

        public long Offset { get; set; }
    }
}
