using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.MatMul;
using NanoFold.Kernels.Gpu.Optimizers;
using NanoFold.Kernels.Gpu.Pointwise;
using NanoFold.Kernels.Gpu.Reduce;
using NanoFold.Kernels.Gpu.Rows;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Gpu;

/// <summary>
/// The backend of a GPU through ILGPU: CUDA, OpenCL, or ILGPU's simulator in tests. Calls return before they are done. Results are the same bits from run to run.
/// </summary>
public sealed class GpuBackend : Backend
{
    /// <summary>
    /// NANOFOLD_GPU_STEP=plain: products of one input stay apart, and a captured step has no branches; joined: both, but products apply no gates and no rotary positions and leave no sums of rows. To
    /// compare, and should a card do worse with one.
    /// </summary>
    private static readonly string? s_step = Environment.GetEnvironmentVariable("NANOFOLD_GPU_STEP");
    private static readonly bool s_isPlain = s_step == "plain";
    private static readonly bool s_fuses = s_step is not ("plain" or "joined");

    private readonly GpuContext _context;
    private readonly GpuTransfer _transfer;
    private readonly GpuMatMul _matMul;
    private readonly GpuReduce _reduce;
    private readonly GpuSoftmax _softmax;
    private readonly GpuRows _rows;

    /// <param name="context">ILGPU's context and device.</param>
    /// <param name="composedOnly">Hides fused kernels that have a composed path, so that the two can be compared.</param>
    internal GpuBackend(GpuContext context, bool composedOnly = false)
    {
        _context = context;
        _transfer = new GpuTransfer(context);
        _matMul = new GpuMatMul(context, sumsRows: s_fuses);
        _reduce = new GpuReduce(context);
        _softmax = new GpuSoftmax(context);
        _rows = new GpuRows(context);
        Kernels = new KernelTable(composedOnly, GpuKernels.Create(context, _matMul, _reduce, s_fuses));
        Kernels.AddRegistered(this);
    }

    public override string Name => $"{Kind} {_context.Accelerator.Name}";

    public override KernelTable Kernels { get; }

    public override StepState NewState() => new GpuStepState(_context);

    /// <summary>Null for a processor: its memory is the host's.</summary>
    public override long? FreeBytes => _context.IsProcessor ? null : _context.FreeBytes;

    /// <summary>Tensor cores know tf32 from Ampere on.</summary>
    public override bool HasTensorFloat32 => _context.Accelerator is CudaAccelerator { Architecture.Major: >= 8 };

    public override bool OverwritesGradients => true;

    public override bool JoinsProducts => !_context.IsProcessor && !s_isPlain;

    public override bool Supports(DType type) => type != DType.Float64;

    public override IReadOnlyList<CompiledKernel> CompiledKernels => _context.Compiled;

    /// <summary>Whether <see cref="Tune"/> does anything: on CUDA.</summary>
    public bool CanTune => _context.IsCuda;

    /// <summary>Whether products are done by kernels that were measured, now or in an earlier process.</summary>
    public bool IsTuned => _matMul.Cuda is { Chooser.Kept.Count: > 0 };

    /// <summary>What kernels for it are made with.</summary>
    public GpuContext Context => _context;

    private string Kind => _context.IsCuda ? "cuda" : _context.IsSimulator ? "simulated gpu" : "opencl";

    public override void Synchronize() => _context.Stream.Synchronize();

    public override RecordedCalls? Capture(Action calls) => _context.IsCuda ? CudaGraph.Capture(_context, calls) : null;

    public override DeviceClock? NewClock() => _context.IsCuda ? new CudaClock(_context) : new WaitingClock(_context);

    public override DeviceBuffer Allocate(long bytes) => new GpuBuffer(_context, bytes);

    public override void Upload<T>(ReadOnlySpan<T> source, in View target)
    {
        BackendChecks.Transfer<T>("upload", target, source.Length);
        _transfer.Upload(source, target);
    }

    public override void Download<T>(in View source, Span<T> target)
    {
        BackendChecks.Transfer<T>("download", source, target.Length);
        _transfer.Download(source, target);
    }

    public override void Fill(in View y, double value)
    {
        Checks.Writable("fill", "y", y);
        Copies.Fill(_context, y, value);
    }

    public override void Copy(in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Copy(x, y, accumulate);
        Copies.Copy(_context, x, y, accumulate);
    }

    public override void Map<TOp>(TOp op, in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("map", x, y);
        Pointwise.Map.Run(_context, new Unary<TOp>(op), x, x, x, y, accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("zip", a, b, y);
        Pointwise.Map.Run(_context, new Binary<TOp>(op), a, b, b, y, accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("zip", a, b, c, y);
        Pointwise.Map.Run(_context, new Ternary<TOp>(op), a, b, c, y, accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
    {
        BackendChecks.Pointwise("zip", a, b, c, y, z);
        Pointwise.Map.Run(_context, new Pair<TOp>(op), a, b, c, y, accumulateY, z, accumulateZ);
    }

    public override void Sum(in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Sum(x, y);
        _reduce.Sum(x, y, accumulate);
    }

    public override void MatMul(in MatMulArgs args)
    {
        BackendChecks.MatMul(args);
        _matMul.MatMul(args);
    }

    public override void MatMulTogether(ReadOnlySpan<MatMulArgs> products)
    {
        if (products.Length < 2 || !RunsTogether)
        {
            base.MatMulTogether(products);
            return;
        }

        using Branches.Scope scope = _context.Branches.Fork(products.Length);
        for (int i = 0; i < products.Length; i++)
        {
            _context.Branches.Enter(i);
            MatMul(products[i]);
        }
    }

    public override bool RunsTogether => _context.Branches.AreThere && !s_isPlain;

    public override void RunTogether(ReadOnlySpan<Action> calls)
    {
        if (!_context.Branches.AreThere)
        {
            base.RunTogether(calls);
            return;
        }

        using Branches.Scope scope = _context.Branches.Fork(calls.Length);
        for (int i = 0; i < calls.Length; i++)
        {
            _context.Branches.Enter(i);
            calls[i]();
        }
    }

    public override void GroupedMatMul(in GroupedMatMulArgs args)
    {
        BackendChecks.GroupedMatMul(args);
        _matMul.GroupedMatMul(args);
    }

    /// <summary>
    /// Measures kernels for products, has the fastest do them from now on, and keeps that in the user's folder for caches, by device and driver, for processes to come.
    /// A product's bits may differ before and after; once measured they are the same from run to run. Nothing is done elsewhere than on CUDA.
    /// </summary>
    /// <param name="shapes">The products, the most important first.</param>
    /// <param name="limit">Time after which no further product is begun.</param>
    /// <returns>Of each product that was measured what came of it.</returns>
    /// <exception cref="ArgumentException">A shape is none of a product.</exception>
    public IReadOnlyList<MatMulTuning> Tune(IEnumerable<MatMulShape> shapes, TimeSpan limit)
    {
        ArgumentNullException.ThrowIfNull(shapes);
        if (_matMul.Cuda is not { } products)
        {
            return [];
        }

        using var tuner = new MatMulTuner(this, products);
        IReadOnlyList<MatMulTuning> tuned = tuner.Run(shapes, limit);
        products.Store();
        return tuned;
    }

    public override void Gather(in View table, in View ids, in View y, bool accumulate = false)
    {
        BackendChecks.Gather(table, ids, y);
        _rows.Gather(table, ids, y, accumulate);
    }

    public override void ScatterAdd(in View x, in View ids, in View table)
    {
        BackendChecks.ScatterAdd(x, ids, table);
        _rows.ScatterAdd(x, ids, table);
    }

    public override void TopK(in View x, in View values, in View indices)
    {
        BackendChecks.TopK(x, values, indices);
        _rows.TopK(x, values, indices);
    }

    public override void Update<TFormula>(TFormula formula, in UpdateArgs args)
    {
        BackendChecks.Update<TFormula>(args);
        ElementUpdates.Run(_context, formula, args);
    }

    public override void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate = false)
    {
        BackendChecks.Dropout(state, x, y, rate);
        _rows.Dropout(state, x, y, rate, stream, accumulate);
    }

    public override void Softmax(in View x, in View y, double scale, in Visible visible)
    {
        BackendChecks.Softmax(x, y, visible);
        _softmax.Forward(x, y, scale, visible);
    }

    public override void SoftmaxBackward(in View y, in View dy, in View dx, double scale, bool accumulate = false)
    {
        BackendChecks.SoftmaxBackward(y, dy, dx);
        _softmax.Backward(y, dy, dx, scale, accumulate);
    }

    public override void Dispose()
    {
        _context.Stream.Synchronize();
        _context.KeepPrograms();
        _matMul.Dispose();
        _softmax.Dispose();
        _rows.Dispose();
        Kernels.Dispose();
        _transfer.Dispose();
        _context.Dispose();
    }
}
