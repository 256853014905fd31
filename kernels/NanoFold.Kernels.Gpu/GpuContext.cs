using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.OpenCl;
using NanoFold.Kernels.Gpu.OpenCl.Processor;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Gpu;

/// <summary>What every GPU kernel shares: the accelerator and its stream, compiled kernels, scratch memory, states.</summary>
public sealed class GpuContext : IDisposable
{
    // What was counted when a kernel that is written here was launched last, and where.
    private (long Version, nint Stream) _kernel;

    private const int DeviceGroupSize = 256;

    private readonly Dictionary<Type, Delegate> _kernels = [];
    private readonly List<CompiledKernel> _compiled = [];
    private readonly List<IDisposable> _outgrown = [];
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _nothing;
    private readonly OpenClCompiler? _openCl;
    private readonly MemoryBuffer1D<byte, Stride1D.Dense>?[] _scratch = new MemoryBuffer1D<byte, Stride1D.Dense>?[Branches.Most];
    private readonly AcceleratorStream _main;
    private long _taken;

    /// <param name="context">ILGPU's context; it is disposed here.</param>
    /// <param name="device">One of its devices.</param>
    /// <param name="openCl">What an OpenCL device has, null for others.</param>
    /// <param name="events">By which streams wait for each other; null for CUDA's, and for none elsewhere.</param>
    internal GpuContext(Context context, Device device, OpenClCapabilities? openCl = null, IStreamEvents? events = null)
    {
        IlContext = context;
        Accelerator = device is CLDevice cl ? OpenClCompiler.Open(context, cl) : device.CreateAccelerator(context);
        if (Accelerator is CLAccelerator accelerator)
        {
            _openCl = new OpenClCompiler(accelerator, openCl ?? OpenClCapabilities.Of(accelerator.Device));
        }

        VectorMap = IsProcessor ? new VectorMap(this) : null;
        _main = Accelerator.CreateStream();
        Branches = new Branches(this, events ?? (IsCuda ? new CudaEvents(Accelerator) : null));
        _nothing = Accelerator.Allocate1D<byte>(256);
        Counters = new GpuCounters(this);
    }

    internal Context IlContext { get; }

    public Accelerator Accelerator { get; }

    /// <summary>The stream of everything, but for that of a branch while it is captured: not CUDA's null stream, so that a step can be captured.</summary>
    public AcceleratorStream Stream => Branches.Stream ?? _main;

    /// <summary>Work that may be done at the same time.</summary>
    internal Branches Branches { get; }

    /// <summary>What kernels count in.</summary>
    internal GpuCounters Counters { get; }

    /// <summary>The states that are not disposed yet.</summary>
    internal List<GpuStepState> States { get; } = [];

    public bool IsCuda => Accelerator is CudaAccelerator;

    /// <summary>ILGPU's simulator: slow, for tests of correctness at tiny shapes.</summary>
    public bool IsSimulator => Accelerator is CPUAccelerator;

    /// <summary>An OpenCL device that is a processor: its local memory is plain memory, and its threads are what a compiler makes loops and vectors of.</summary>
    public bool IsProcessor => _openCl is { Capabilities.IsProcessor: true };

    /// <summary>Keeps an OpenCL device's programs for processes to come, before any of them is given back.</summary>
    internal void KeepPrograms() => _openCl?.Binaries.Keep();

    /// <summary>Elementwise formulas and copies on an OpenCL device that is a processor; null elsewhere.</summary>
    internal VectorMap? VectorMap { get; }

    /// <summary>Programs of an OpenCL device.</summary>
    internal OpenClBinaries Binaries => _openCl?.Binaries ?? throw new InvalidOperationException($"{Accelerator.Name} has no programs of OpenCL");

    /// <summary>Whether threads may exchange values within warps of 32: CUDA's do, or a simulator of such a device; OpenCL's need not.</summary>
    public bool HasWarps => Accelerator.WarpSize == WarpSum.Lanes && (IsCuda || IsSimulator);

    /// <summary>Bytes of memory that the threads of a group can share.</summary>
    public long SharedBytes => _openCl?.Capabilities.LocalBytes ?? Accelerator.MaxSharedMemoryPerGroup;

    /// <summary>Threads of a group that works on a row.</summary>
    public int GroupSize => !IsSimulator ? DeviceGroupSize : HasWarps ? 2 * WarpSum.Lanes : 16;

    /// <summary>Counts what was launched: what was read before may be stale once it has changed.</summary>
    internal long Version { get; private set; }

    /// <summary>As the driver says; where it does not, what the device has less what was taken here.</summary>
    public long FreeBytes => Accelerator is CudaAccelerator cuda ? cuda.GetFreeMemory() : Accelerator.MemorySize - _taken;

    /// <summary>Calls are being recorded, not run.</summary>
    internal bool IsCapturing { get; set; }

    /// <summary>The kernels that ran so far.</summary>
    internal IReadOnlyCollection<Type> Works => [.. _openCl?.Works ?? _kernels.Keys];

    /// <summary>What CUDA's compiler made so far.</summary>
    internal IReadOnlyList<CompiledKernel> Compiled => _compiled;

    /// <summary>The elements of a view from its first to its last, whatever lies between; for none a view of memory that nobody reads.</summary>
    public ArrayView<T> View<T>(in View view)
        where T : unmanaged
    {
        if (view.IsNone)
        {
            return ((ArrayView<byte>)_nothing.View).Cast<T>();
        }

        // ILGPU gives an OpenCL kernel the offset of its memory in a buffer as 32 bits, without a word where it has more.
        if (_openCl is not null && view.Offset > int.MaxValue)
        {
            throw new InsufficientMemoryException($"{Accelerator.Name}: {view} lies beyond the first {int.MaxValue} elements of its buffer, where OpenCL kernels do not reach");
        }

        int size = Interop.SizeOf<T>();
        return ((GpuBuffer)view.Buffer).Memory.SubView(view.Offset * size, view.Layout.Extent * size).Cast<T>();
    }

    /// <summary>The slots of a state as the next kernel reads them: integers, or the bits of doubles.</summary>
    /// <exception cref="ArgumentException">It is the state of another backend.</exception>
    public ArrayView<long> Slots(StepState state)
    {
        if (state is not GpuStepState own || own.Context != this)
        {
            throw new ArgumentException($"{Accelerator.Name}: the state is of another backend, expected one that this backend made", nameof(state));
        }

        own.Flush();
        return own.Slots;
    }

    /// <summary>Sends what was set in any state: before work that reads states on its own.</summary>
    internal void FlushStates()
    {
        foreach (GpuStepState state in States)
        {
            state.Flush();
        }
    }

    /// <summary>The bytes of a contiguous view.</summary>
    public static ArrayView<byte> Bytes(in View view) =>
        ((GpuBuffer)view.Buffer).Memory.SubView(view.Offset * view.Type.Size(), view.Count * view.Type.Size());

    /// <summary>Address of a view's first element on a CUDA device; 0 for none.</summary>
    public long Pointer(in View view) => view.IsNone
        ? 0
        : (long)((GpuBuffer)view.Buffer).Memory.LoadEffectiveAddressAsPtr() + view.Offset * view.Type.Size();

    /// <summary>Memory for one call, aligned to 256 bytes; contents are arbitrary and live until the next call of the branch. Grows only, and not while capturing.</summary>
    public ArrayView<byte> Scratch(long bytes)
    {
        ref MemoryBuffer1D<byte, Stride1D.Dense>? scratch = ref _scratch[Branches.Current];
        if (scratch is null || scratch.Length < bytes)
        {
            if (IsCapturing)
            {
                throw new InvalidOperationException("gpu: scratch grew while a step was captured; run it once before");
            }

            // What was captured still works in the old piece; doubling keeps all old ones together below the newest.
            if (scratch is not null)
            {
                _outgrown.Add(scratch);
            }

            scratch = AllocateMemory(Math.Max(bytes, Math.Max(1 << 20, 2 * (scratch?.Length ?? 0))));
        }

        return ((ArrayView<byte>)scratch.View).SubView(0, Math.Max(bytes, 1));
    }

    /// <summary>OpenCL's handle of the memory that a view lies in; for none of memory that nobody reads.</summary>
    internal nint Handle(in View view) => view.IsNone ? _nothing.NativePtr : ((GpuBuffer)view.Buffer).Handle;

    /// <summary>OpenCL's handle of <see cref="Scratch"/>.</summary>
    internal nint ScratchHandle(long bytes)
    {
        Scratch(bytes);
        return _scratch[Branches.Current]!.NativePtr;
    }

    internal MemoryBuffer1D<byte, Stride1D.Dense> AllocateMemory(long bytes)
    {
        if (IsCapturing)
        {
            throw new InvalidOperationException("gpu: memory was allocated while a step was captured");
        }

        if (_openCl is not null && bytes > _openCl.Capabilities.BufferBytes)
        {
            throw new InsufficientMemoryException(
                $"{Accelerator.Name}: a buffer of {bytes} bytes was asked for, and its buffers have {_openCl.Capabilities.BufferBytes} bytes at most, whatever is free");
        }

        try
        {
            MemoryBuffer1D<byte, Stride1D.Dense> memory = Accelerator.Allocate1D<byte>(bytes);
            _taken += bytes;
            if (IsProcessor)
            {
                OpenClPages.Advise(((CLStream)_main).CommandQueue, memory.NativePtr, bytes);
            }

            return memory;
        }
        catch (Exception e) when (e is CudaException { Error: nameof(CudaError.CUDA_ERROR_OUT_OF_MEMORY) } or CLException)
        {
            throw new InsufficientMemoryException($"{Accelerator.Name}: {bytes} bytes were asked for and are not free", e);
        }
    }

    internal void FreeMemory(MemoryBuffer1D<byte, Stride1D.Dense> memory)
    {
        _taken -= memory.Length;
        memory.Dispose();
    }

    /// <summary>Runs a kernel over groups of <paramref name="threads"/> threads.</summary>
    public void Launch<TWork>(in TWork work, long groups, int threads)
        where TWork : struct, IGpuWork<TWork>
        => Launch(work, checked((int)groups), 1, 1, threads);

    /// <summary>As above, over a grid of groups.</summary>
    public void Launch<TWork>(in TWork work, int gridX, int gridY, int gridZ, int threads)
        where TWork : struct, IGpuWork<TWork>
    {
        Version++;
        if (_openCl is not null)
        {
            _openCl.Kernel(typeof(TWork), threads).Launch(Stream, ref Unsafe.As<TWork, byte>(ref Unsafe.AsRef(in work)), gridX, gridY, gridZ, threads);
            return;
        }

        if (!_kernels.TryGetValue(typeof(TWork), out Delegate? kernel))
        {
            kernel = Load<TWork>();
            _kernels.Add(typeof(TWork), kernel);
        }

        ((Action<AcceleratorStream, KernelConfig, TWork>)kernel)(Stream, new KernelConfig(new Index3D(gridX, gridY, gridZ), new Index3D(threads, 1, 1)), work);
        if (IsCuda)
        {
            _kernel = (Version, ((CudaStream)Stream).StreamPtr);
        }
    }

    /// <summary>Runs a kernel over at least <paramref name="threads"/> threads, in groups of the usual size.</summary>
    public void LaunchThreads<TWork>(in TWork work, long threads)
        where TWork : struct, IGpuWork<TWork>
        => Launch(work, Groups(threads), GroupSize);

    /// <summary>Groups of the usual size that have at least <paramref name="threads"/> threads.</summary>
    public int Groups(long threads) => checked((int)((threads + GroupSize - 1) / GroupSize));

    /// <summary>Work that was not launched through <see cref="Launch{TWork}(in TWork, long, int)"/> is about to be.</summary>
    internal void BeforeForeignLaunch() => Version++;

    /// <summary>
    /// The same of a kernel that is written here; whether a kernel was launched just before it on the same stream, and nothing else: the one that is written waits for it in its text, and what
    /// does not say when the next may start says so by its end.
    /// </summary>
    internal bool BeforeWritten(nint stream)
    {
        bool follows = _kernel == (Version, stream);
        _kernel = (++Version, stream);
        return follows;
    }

    /// <summary>Notes a kernel that is there now; <paramref name="function"/> is CUDA's handle of it.</summary>
    internal void Note(string name, nint function) => _compiled.Add(CudaKernelInfo.Of(name, function));

    public void Dispose()
    {
        Stream.Synchronize();
        foreach (MemoryBuffer1D<byte, Stride1D.Dense>? scratch in _scratch)
        {
            scratch?.Dispose();
        }

        _outgrown.ForEach(o => o.Dispose());
        Counters.Dispose();
        _nothing.Dispose();
        foreach (GpuStepState state in States.ToArray())
        {
            state.Dispose();
        }

        Branches.Dispose();
        VectorMap?.Dispose();
        _openCl?.Dispose();
        _main.Dispose();
        Accelerator.Dispose();
        IlContext.Dispose();
    }

    private Action<AcceleratorStream, KernelConfig, TWork> Load<TWork>()
        where TWork : struct, IGpuWork<TWork>
    {
        if (IsCapturing)
        {
            throw new InvalidOperationException($"gpu: {typeof(TWork).Name} was compiled while a step was captured; run it once before");
        }

        KernelSpecialization limits = IsCuda ? CudaLimits<TWork>() : KernelSpecialization.Empty;
        Action<AcceleratorStream, KernelConfig, TWork> kernel = Accelerator.LoadKernel<TWork>(Entry, limits);
        if (IsCuda)
        {
            Note(WorkName.Of(typeof(TWork)), ((CudaKernel)kernel.GetKernel()).FunctionPtr);
        }

        return kernel;
    }

    /// <summary>What CUDA's compiler is told of a work's groups.</summary>
    internal static KernelSpecialization CudaLimits<TWork>()
        where TWork : struct, IGpuWork<TWork>
        => TWork.GroupsTogether > 0 ? new(DeviceGroupSize, TWork.GroupsTogether) : KernelSpecialization.Empty;

    /// <summary>What is compiled for a work.</summary>
    internal static void Entry<TWork>(TWork work)
        where TWork : struct, IGpuWork<TWork>
        => TWork.Run(work);
}
