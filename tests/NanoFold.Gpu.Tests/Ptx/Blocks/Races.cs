namespace NanoFold.Gpu.Tests.Ptx.Blocks;

/// <summary>
/// Finds accesses to the same memory of which at least one writes and of which no barrier, and no release with an acquire, tells which comes first: faults in every order in which
/// the machine happens to run. Additions of floats count as writes, for their order makes the bits.
/// </summary>
/// <param name="warps">Of the launch.</param>
/// <param name="sharedBytes">Shared memory of a block.</param>
internal sealed class Races(int warps, int sharedBytes)
{
    /// <summary>All lanes of a warp, in an instruction of the whole warp.</summary>
    public const int AllLanes = -1;

    private readonly Dictionary<ulong, int[]> _words = [];
    private readonly Dictionary<ulong, Cell> _global = [];
    private readonly Dictionary<int, Cell?[]> _shared = [];
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
        if (!_watched.Exists(w => address >= w.Start && address < w.End))
        {
            return;
        }

        for (ulong word = address / 4; word <= (address + (ulong)bytes - 1) / 4; word++)
        {
            if (!_global.TryGetValue(word, out Cell? cell))
            {
                _global.Add(word, cell = new Cell());
            }

            Access(cell, warp.Order!, lane, isWrite, word, isShared: false);
        }
    }

    public void Shared(PtxWarp warp, int lane, int address, int bytes, bool isWrite)
    {
        if (!_shared.TryGetValue(warp.Block.Number, out Cell?[]? cells))
        {
            _shared.Add(warp.Block.Number, cells = new Cell?[(sharedBytes + 3) / 4]);
        }

        for (int word = address / 4; word <= (address + bytes - 1) / 4; word++)
        {
            Access(cells[word] ??= new Cell(), warp.Order!, lane, isWrite, (ulong)word, isShared: true);
        }
    }

    private static void Access(Cell cell, WarpOrder order, int lane, bool isWrite, ulong word, bool isShared)
    {
        if (cell.Written is { } written && !IsBefore(written, order, lane))
        {
            throw new InvalidOperationException($"{Place(word, isShared)} was written by {written}, which nothing orders before this {(isWrite ? "write" : "read")}");
        }

        var use = new Use(order.Number, lane, order.Time);
        if (!isWrite)
        {
            cell.Read(use);
            return;
        }

        foreach (Use read in cell.Reads)
        {
            if (!IsBefore(read, order, lane) && (read.Lane != AllLanes || read.Warp != use.Warp))
            {
                throw new InvalidOperationException($"{Place(word, isShared)} was read by {read}, which nothing orders before this write");
            }
        }

        cell.Write(use);
    }

    private static bool IsBefore(Use use, WarpOrder order, int lane)
        => use.Warp == order.Number ? (use.Lane == lane && lane != AllLanes) || use.Time < order.Time : order.Knows(use.Warp, use.Time);

    private static string Place(ulong word, bool isShared) => isShared ? $"shared memory at {4 * word}" : $"global memory at {4 * word:x}";

    private sealed class Cell
    {
        private Use[] _reads = [];
        private int _count;

        public Use? Written { get; private set; }

        public ReadOnlySpan<Use> Reads => _reads.AsSpan(0, _count);

        public void Write(Use use) => (Written, _count) = (use, 0);

        /// <summary>Adds one, in place of those that it follows.</summary>
        public void Read(Use use)
        {
            int kept = 0;
            for (int i = 0; i < _count; i++)
            {
                Use read = _reads[i];
                if (read.Warp != use.Warp || (read.Lane != use.Lane && read.Time >= use.Time))
                {
                    _reads[kept++] = read;
                }
            }

            if (kept == _reads.Length)
            {
                Array.Resize(ref _reads, Math.Max(2, 2 * kept));
            }

            _reads[kept] = use;
            _count = kept + 1;
        }
    }

    private readonly record struct Use(int Warp, int Lane, int Time)
    {
        public override string ToString() => $"warp {Warp} of the launch{(Lane < 0 ? "" : $", lane {Lane}")}";
    }
}
