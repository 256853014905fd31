using NanoFold.Gpu.Tests.Ptx.Blocks;
using NanoFold.Gpu.Tests.Ptx.Clusters;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>
/// Runs the text of a kernel on the host: each instruction for the 32 lanes of a warp at once, warps in the order of <see cref="Schedule"/>, block after block or some of them at once.
/// Global memory is the host's and must lie in what <see cref="Allow"/> named. Copies by <c>cp.async</c> land as late as they may (their target is
/// spoilt when they begin), and shared memory begins spoilt, so a missing wait or barrier shows as NaN. What may be started while
/// the launch before it still runs (its text has <c>griddepcontrol</c>) may touch global memory after it has waited only. What else is asynchronous, see <see cref="Hopper.AsyncBlock"/>.
/// </summary>
internal sealed unsafe class PtxMachine
{
    private readonly PtxProgram _program;
    private readonly PtxText _text;
    private readonly List<(nint Start, nint End)> _memory = [];
    private readonly List<(nint Start, long Bytes)> _watched = [];
    private readonly Action<PtxWarp>[] _steps;
    private readonly WgmmaSums _sums;
    private readonly bool _startsEarly;
    private readonly Stack<byte[]> _unused = [];

    // The piece of memory that was touched last.
    private (nint Start, nint End) _near;
    private ulong _nanoseconds;

    public PtxMachine(PtxProgram program)
    {
        _program = program;
        _text = PtxText.Of(program.Text);
        _sums = new WgmmaSums(_text);
        var decoder = new PtxDecoder(this);
        _steps = [.. _text.Instructions.Select(decoder.Decode)];
        _startsEarly = program.Text.Contains("griddepcontrol", StringComparison.Ordinal);
    }

    /// <summary>Which warp runs when, and when work in the background is done.</summary>
    public PtxSchedule Schedule { get; init; } = new();

    public PtxProgram Program => _program;

    public byte[] Arguments { get; private set; } = [];

    /// <summary>The block that runs.</summary>
    public PtxBlock Current { get; set; } = null!;

    public byte[] Shared => Current.Shared;

    public NamedBarriers Barriers => Current.Barriers;

    public AsyncBlock Async => Current.Async;

    public int[] Block => Current.Index;

    public int[] GridSize { get; } = new int[3];

    /// <summary>What finds accesses without an order, where that is asked for.</summary>
    public Races? Races { get; private set; }

    /// <summary>Whether <see cref="Races"/> are sought: in shared memory, and in what <see cref="Allow"/> is told to watch.</summary>
    public bool SeeksRaces { get; init; }

    public PtxText Text => _text;

    public WgmmaSums Sums => _sums;

    /// <summary>Shared memory accesses, in cycles of the banks.</summary>
    public long SharedCycles { get; set; }

    /// <summary>Cycles of shared memory lost because lanes met in a bank.</summary>
    public long ConflictCycles { get; set; }

    /// <summary>Times that a warp had to wait for a word of global memory to change.</summary>
    public long WordWaits { get; set; }

    /// <summary>Boxes that were copied by tensor maps to shared memory.</summary>
    public long Loads { get; set; }

    /// <summary>Instructions run by a warp.</summary>
    public long WarpInstructions { get; private set; }

    public void Allow(void* start, long bytes, bool watch = false)
    {
        _memory.Add(((nint)start, (nint)start + (nint)bytes));
        if (watch)
        {
            _watched.Add(((nint)start, bytes));
        }
    }

    /// <summary>The address of an element, if all bytes are in named memory.</summary>
    public byte* Element(ulong address, int bytes)
    {
        _ = Global(address, bytes);
        if (address % (ulong)bytes != 0)
        {
            throw new InvalidOperationException($"{bytes} bytes at a misaligned global address {address:x}");
        }

        return (byte*)address;
    }

    /// <summary>Bytes, if all of them are in named memory.</summary>
    public Span<byte> Global(ulong address, int bytes)
    {
        nint start = (nint)address;
        if (start < _near.Start || start + bytes > _near.End)
        {
            _near = Holding(start, bytes);
        }

        return new Span<byte>((byte*)address, bytes);
    }

    private (nint Start, nint End) Holding(nint address, int bytes)
    {
        int index = _memory.FindIndex(m => address >= m.Start && address + bytes <= m.End);
        return index >= 0
            ? _memory[index]
            : throw new InvalidOperationException($"{bytes} bytes outside of global memory: {string.Join(", ", _memory.Select(m => $"[{address - m.Start}, of {m.End - m.Start}]"))}");
    }

    /// <summary>The place in the running block's own shared memory.</summary>
    public int SharedAt(ulong address, int bytes)
    {
        if (PtxCluster.Rank(address) != Current.Rank)
        {
            throw new InvalidOperationException($"{bytes} bytes at {address:x}: no address of the block's own shared memory");
        }

        return Place(address, bytes);
    }

    /// <summary>A block of the cluster into whose shared memory a warp reaches, and the place there.</summary>
    public (PtxBlock Block, int At) Reach(PtxWarp warp, ulong address, int bytes)
        => (warp.Block.Cluster.Reach(PtxCluster.Rank(address), warp.Block), Place(address, bytes));

    private int Place(ulong address, int bytes)
    {
        uint place = (uint)PtxCluster.Place(address);
        if (place + bytes > _program.SharedBytes || place % (uint)bytes != 0)
        {
            throw new InvalidOperationException($"{bytes} bytes at {place} of {_program.SharedBytes} bytes of shared memory");
        }

        return (int)place;
    }

    public void Run<T>(in T arguments, int gridX, int gridY = 1, int gridZ = 1)
        where T : unmanaged
    {
        Arguments = new byte[sizeof(T)];
        System.Runtime.InteropServices.MemoryMarshal.Write(Arguments, in arguments);
        (GridSize[0], GridSize[1], GridSize[2]) = (gridX, gridY, gridZ);
        if (gridX % _program.Cluster != 0)
        {
            throw new InvalidOperationException($"a grid of {gridX} blocks along x is no whole number of clusters of {_program.Cluster}");
        }

        int blocks = gridX * gridY * gridZ, warps = _program.Threads / 32;
        Races = SeeksRaces ? new Races(blocks * warps, _program.SharedBytes) : null;
        _watched.ForEach(w => Races?.Watch((ulong)w.Start, w.Bytes));
        new PtxScheduler(this, blocks).Run();
    }

    /// <summary>The time in nanoseconds, the same for all lanes of a warp; every look at it takes a tenth of a millisecond.</summary>
    public ulong Now(PtxWarp warp, int lane)
        => lane == System.Numerics.BitOperations.TrailingZeroCount(warp.Active) ? _nanoseconds += 100_000 : _nanoseconds;

    /// <summary>Where no warp can go on and the program knows the time, all waits for barriers in shared memory run out of it.</summary>
    public bool LetTimePass(IEnumerable<PtxWarp> warps)
    {
        _nanoseconds += 2_050_000_000;
        return _program.Text.Contains("%globaltimer", StringComparison.Ordinal) && warps.Count(w => w.EndWait()) > 0;
    }

    /// <summary>Shared memory for a block, of one that has ended where there is some.</summary>
    public byte[] SpoiltMemory()
    {
        byte[] memory = _unused.TryPop(out byte[]? used) ? used : new byte[_program.SharedBytes];
        Array.Fill(memory, (byte)0xff);
        return memory;
    }

    /// <summary>A block has ended, and nobody reads its shared memory any more.</summary>
    public void GiveBack(PtxBlock block) => _unused.Push(block.Shared);

    /// <summary>Blocks of a cluster, which start together.</summary>
    public PtxBlock[] Start(int cluster)
    {
        PtxBlock[] blocks = new PtxCluster(this, cluster).Blocks;
        foreach (PtxWarp warp in blocks.SelectMany(block => block.Warps))
        {
            int warps = warp.Block.Warps.Length;
            warp.Order = SeeksRaces ? new WarpOrder((warp.Block.Number * warps) + warp.Number, GridSize[0] * GridSize[1] * GridSize[2] * warps) : null;
        }

        return blocks;
    }

    /// <summary>Runs a warp until it waits, at most some instructions.</summary>
    public void Run(PtxWarp warp, int most)
    {
        for (int i = 0; i < most && warp.Live != 0 && warp.IsReady; i++)
        {
            PtxText.Instruction instruction = _text.Instructions[warp.Next];
            Action<PtxWarp> step = _steps[warp.Next];
            warp.Next++;
            warp.Active = warp.Live;
            if (instruction.Guard >= 0)
            {
                warp.Active = warp.Guarded(instruction.Guard, instruction.Negated);
            }

            WarpInstructions++;
            warp.Steps++;
            warp.Order?.Resume();
            if (warp.Active != 0)
            {
                try
                {
                    if (_startsEarly && !warp.HasWaited && instruction.Opcode.Contains("global", StringComparison.Ordinal))
                    {
                        throw new InvalidOperationException("memory is touched before griddepcontrol.wait: what was launched before may not be done");
                    }

                    _sums.Touch(warp, instruction);
                    step(warp);
                }
                catch (Exception e) when (e is InvalidOperationException or NotSupportedException)
                {
                    throw new InvalidOperationException($"{instruction.Text}: {e.Message} (block {string.Join(", ", Block)}, threads from {warp.FirstThread})", e);
                }
            }
        }
    }
}
