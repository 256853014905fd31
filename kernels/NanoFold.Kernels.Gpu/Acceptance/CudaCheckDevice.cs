using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>A CUDA device for checks: kernels are compiled for each launch, memory is given back at the end.</summary>
internal sealed unsafe class CudaCheckDevice : ICheckDevice, IDisposable
{
    private const int MostCounters = 256;

    private readonly GpuContext _context;
    private readonly CudaTensorMaps _maps = new();
    private readonly PageLockedArray1D<byte> _watch;
    private readonly List<IDisposable> _held = [];
    private readonly Dictionary<long, MemoryBuffer1D<byte, Stride1D.Dense>> _memory = [];
    private IReadOnlyList<string> _waits = [];
    private string _launched = "";
    private bool _isWatched = true;
    private long _counters;

    public CudaCheckDevice(GpuContext context)
    {
        _context = context;
        CudaDevice device = ((CudaAccelerator)context.Accelerator).Device;
        Architecture = Of(context);
        Multiprocessors = device.NumMultiprocessors;
        _watch = context.Accelerator.AllocatePageLocked1D<byte>(256);
    }

    public int Architecture { get; }

    public int Multiprocessors { get; }

    public bool IsWatched
    {
        set => _isWatched = value;
    }

    // The device sees pinned memory at the host's address.
    public long Watch => (long)Unsafe.AsPointer(ref MemoryMarshal.GetReference(_watch.Span));

    /// <summary>The compute capability of a context's device; 0 for none.</summary>
    public static int Of(GpuContext context)
        => context.Accelerator is CudaAccelerator { Device.Architecture: { } architecture } ? 10 * architecture.Major + architecture.Minor : 0;

    public TensorMap Map(in TensorMapShape shape) => _maps.Of(shape);

    public long Scratch(long bytes) => Allocate(bytes);

    public long Counters(int count)
    {
        if (count > MostCounters)
        {
            throw new ArgumentException($"a check of {count} counters, and there are {MostCounters}");
        }

        // The same ones again: kernels leave them 0.
        if (_counters == 0)
        {
            _counters = Allocate(MostCounters * sizeof(int));
            Write(_counters, new byte[MostCounters * sizeof(int)]);
        }

        return _counters;
    }

    public long Allocate(long bytes)
    {
        MemoryBuffer1D<byte, Stride1D.Dense> memory = _context.AllocateMemory(bytes);
        _held.Add(memory);
        memory.View.AsContiguous().MemSet(_context.Stream, 255);
        long address = (long)memory.View.AsContiguous().LoadEffectiveAddressAsPtr();
        _memory.Add(address, memory);
        return address;
    }

    public void Write(long address, ReadOnlySpan<byte> values)
    {
        fixed (byte* source = values)
        {
            _memory[address].View.AsContiguous().SubView(0, values.Length).CopyFromCPUUnsafeAsync(_context.Stream, ref *source, values.Length);
            Synchronize();
        }
    }

    public void Read(long address, Span<byte> values)
    {
        fixed (byte* target = values)
        {
            _memory[address].View.AsContiguous().SubView(0, values.Length).CopyToCPUUnsafeAsync(_context.Stream, ref *target, values.Length);
            Synchronize();
        }
    }

    public void Launch<T>(in GemmKernelKey key, in T arguments, int gridX, int gridY, int gridZ)
        where T : unmanaged
        => Run(key.Family == GemmFamily.Wgmma ? WgmmaGemm.Write(key.Spec, key.Tile, _isWatched) : key.Write(Architecture), arguments, gridX, gridY, gridZ);

    public void Run<T>(PtxProgram program, in T arguments, int blocks, int blocksY = 1)
        where T : unmanaged
        => Run(program, arguments, blocks, blocksY, 1);

    public void Dispose()
    {
        _held.ForEach(h => h.Dispose());
        _watch.Dispose();
    }

    private void Run<T>(PtxProgram program, in T arguments, int x, int y, int z)
        where T : unmanaged
    {
        _watch.Span.Clear();
        (_waits, _launched) = (program.Waits, program.Name);
        var kernel = new PtxKernel(_context, program, program.Name);
        _held.Add(kernel);
        kernel.Launch(arguments, x, y, z);
        Synchronize();
    }

    private void Synchronize()
    {
        try
        {
            _context.Stream.Synchronize();
        }
        catch (CudaException e)
        {
            throw new InvalidOperationException($"{_launched}: {PtxWatch.Read(_watch.Span, _waits) ?? e.Error}", e);
        }
    }
}
