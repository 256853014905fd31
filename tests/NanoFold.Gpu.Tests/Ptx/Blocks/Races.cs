namespace NanoFold.Gpu.Tests.Ptx.Blocks;

/// <summary>
/// Finds accesses to the same memory of which at least one writes and of which no barrier, and no release with an acquire, tells which comes first: faults in every order in which
/// the machine happens to run. Additions of floats count as writes, for their order makes the bits.
/// </summary>
/// <param name="warps">Of the launch.</param>
internal sealed class Races(int warps)
{
    /// <summary>All lanes of a warp, in an instruction of the whole warp.</summary>
    public const int AllLanes = -1;

    private readonly Dictionary<ulong, int[]> _words = [];
    private readonly Dictionary<(int Block, ulong Word), Cell> _cells = [];
    private readonly List<(ulong Start, ulong End)> _watched = [];

    public void Watch(ulong start, long bytes) => _watched.Add((start, start + (ulong)bytes));

    public int[] NewBarrier() => new int[warps];

    /// <summary>What is told through a word.</summary>
    public int[] Told(ulong address)
    {
        if (!_words.TryGetValue(address, out int[]? told))
        {
            _words.Add(address, told = new int[warps]);
        }

        return told;
    }

    public void Global(PtxWarp warp, int lane, ulong address, int bytes, bool isWrite)
    {
        if (_watched.Exists(w => address >= w.Start && address < w.End))
        {
            Access(-1, warp, lane, address, bytes, isWrite);
        }
    }

    public void Shared(PtxWarp warp, int lane, int address, int bytes, bool isWrite) => Access(warp.Block.Number, warp, lane, (ulong)address, bytes, isWrite);

    private void Access(int block, PtxWarp warp, int lane, ulong address, int bytes, bool isWrite)
    {
        for (ulong word = address / 4; word <= (address + (ulong)bytes - 1) / 4; word++)
        {
            if (!_cells.TryGetValue((block, word), out Cell? cell))
            {
                _cells.Add((block, word), cell = new Cell());
            }

            WarpOrder order = warp.Order!;
            if (cell.Written is { } written && !IsBefore(written, order, lane))
            {
                throw new InvalidOperationException($"{Place(block, word)} was written by {written}, which nothing orders before this {(isWrite ? "write" : "read")}");
            }

            var use = new Use(order.Number, lane, order.Time);
            if (!isWrite)
            {
                cell.Reads.RemoveAll(read => read.Warp == use.Warp && (read.Lane == use.Lane || read.Time < use.Time));
                cell.Reads.Add(use);
                continue;
            }

            foreach (Use read in cell.Reads)
            {
                if (!IsBefore(read, order, lane) && (read.Lane != AllLanes || read.Warp != use.Warp))
                {
                    throw new InvalidOperationException($"{Place(block, word)} was read by {read}, which nothing orders before this write");
                }
            }

            cell.Reads.Clear();
            cell.Written = use;
        }
    }

    private static bool IsBefore(Use use, WarpOrder order, int lane)
        => use.Warp == order.Number ? (use.Lane == lane && lane != AllLanes) || use.Time < order.Time : order.Knows(use.Warp, use.Time);

    private static string Place(int block, ulong word) => block < 0 ? $"global memory at {4 * word:x}" : $"shared memory at {4 * word}";

    private sealed class Cell
    {
        public Use? Written { get; set; }

        public List<Use> Reads { get; } = [];
    }

    private readonly record struct Use(int Warp, int Lane, int Time)
    {
        public override string ToString() => $"warp {Warp} of the launch{(Lane < 0 ? "" : $", lane {Lane}")}";
    }
}
