using System.Runtime.InteropServices;
using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using NanoFold.Kernels.Gpu.Acceptance;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Memory of the host as a device's, and the machine that runs kernels there. Memory begins as NaN, and nothing outside of what was handed out may be touched.</summary>
internal sealed unsafe class MachineDevice : ICheckDevice, IDisposable
{
    private readonly List<(nint Address, long Bytes)> _memory = [], _foreign = [];
    private readonly HashSet<long> _watched = [];
    private long _watch, _counters;

    private const int CounterBytes = 1 << 12;

    public PtxSchedule Schedule { get; init; } = new();

    public Func<string, string>? Edit { get; init; }

    /// <summary>Compute capability that kernels are written for.</summary>
    public int Architecture { get; init; } = 80;

    public int Multiprocessors { get; init; } = 2;

    /// <summary>Kernels may be started while the one before them runs.</summary>
    public bool StartsEarly { get; init; }

    public Func<TensorMap, TensorMap>? EditMap { get; init; }

    public long SharedCycles { get; private set; }

    public long ConflictCycles { get; private set; }

    public bool IsWatched { get; set; }

    public long Watch => _watch == 0 ? _watch = Allocate(PtxWatch.Bytes) : _watch;

    /// <summary>Of the kernel that ran last.</summary>
    public IReadOnlyList<string> Waits { get; private set; } = [];

    public List<GemmKernelKey> Launched { get; } = [];

    public long Allocate(long bytes)
    {
        void* memory = NativeMemory.AlignedAlloc((nuint)((bytes + 255) / 256 * 256), 256);
        new Span<byte>(memory, (int)bytes).Fill(0xff);
        _memory.Add(((nint)memory, bytes));
        return (long)memory;
    }

    /// <summary>Lets kernels touch memory that is owned elsewhere.</summary>
    public void Allow(long address, long bytes) => _foreign.Add(((nint)address, bytes));

    /// <summary>Races are sought, in scratch memory too.</summary>
    public bool SeeksRaces { get; init; }

    public bool AddsSlicesApart { get; init; }

    /// <summary>Every kernel has left counters as it had found them.</summary>
    public bool AreCountersZero => _counters == 0 || !new Span<byte>((void*)_counters, CounterBytes).ContainsAnyExcept((byte)0);

    public long Scratch(long bytes)
    {
        long address = Allocate(bytes);
        _watched.Add(address);
        return address;
    }

    public long Counters(int count)
    {
        Assert.That(count * sizeof(int), Is.LessThanOrEqualTo(CounterBytes));
        if (_counters == 0)
        {
            _counters = Allocate(CounterBytes);
            new Span<byte>((void*)_counters, CounterBytes).Clear();
        }

        return _counters;
    }

    public TensorMap Map(in TensorMapShape shape)
    {
        TensorMap map = FakeTensorMap.Encode(shape);
        return EditMap is null ? map : EditMap(map);
    }

    public void Launch<T>(in GemmKernelKey key, in T arguments, int gridX, int gridY, int gridZ)
        where T : unmanaged
    {
        Launched.Add(key);
        Run(IsWatched && key.Family == GemmFamily.Wgmma ? WgmmaGemm.Write(key.Spec, key.Tile, watched: true) : key.Write(Architecture, StartsEarly), arguments, gridX, gridY, gridZ);
    }

    public void Run<T>(PtxProgram program, in T arguments, int blocks, int blocksY = 1)
        where T : unmanaged
        => Run(program, arguments, blocks, blocksY, 1);

    public void Write(long address, ReadOnlySpan<byte> values) => values.CopyTo(new Span<byte>((void*)address, values.Length));

    public void Read(long address, Span<byte> values) => new Span<byte>((void*)address, values.Length).CopyTo(values);

    private void Run<T>(PtxProgram program, in T arguments, int gridX, int gridY, int gridZ)
        where T : unmanaged
    {
        Waits = program.Waits;
        var machine = new PtxMachine(Edit is null ? program : program with { Text = Edit(program.Text) }) { Schedule = Schedule, SeeksRaces = SeeksRaces };
        foreach ((nint address, long bytes) in _memory.Concat(_foreign))
        {
            // A chunk of 16 bytes that has an element of the matrix may be read whole.
            machine.Allow((void*)address, (bytes + 15) / 16 * 16, _watched.Contains(address));
        }

        machine.Run(arguments, gridX, gridY, gridZ);
        SharedCycles += machine.SharedCycles;
        ConflictCycles += machine.ConflictCycles;
    }

    public void Dispose()
    {
        foreach ((nint address, _) in _memory)
        {
            NativeMemory.AlignedFree((void*)address);
        }
    }
}
