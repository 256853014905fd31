using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Gemm.Slices;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>Matrix products on a CUDA device by kernels written as PTX, each compiled when it is first needed.</summary>
internal sealed class CudaMatMul : IGemmDevice, IDisposable
{
    private readonly GpuContext _context;
    private readonly GemmTable _table;
    private readonly int _architecture;
    private readonly bool _startEarly;
    private readonly Dictionary<GemmKernelKey, PtxKernel> _kernels = [];
    private readonly CudaTensorMaps _maps = new();

    public CudaMatMul(GpuContext context)
    {
        _context = context;
        CudaDevice device = ((CudaAccelerator)context.Accelerator).Device;
        (int major, int minor) = device.Architecture is { } architecture ? (architecture.Major, architecture.Minor) : (0, 0);
        _architecture = 10 * major + minor;
        Multiprocessors = device.NumMultiprocessors;
        Chooser = new GemmChooser(new GemmDeviceClass(_architecture, device.NumMultiprocessors, device.MaxSharedMemoryPerMultiprocessor, WgmmaGemm.IsAskedFor));
        CudaDriver.Check(CudaDriver.DriverGetVersion(out int driver), "asking for the driver's version");
        _startEarly = EarlyLaunch.IsUsedBy((CudaAccelerator)context.Accelerator);

        // What is fastest without products by warpgroups says nothing where they are a choice.
        _table = new GemmTable($"{device.Name}; driver {driver}{(WgmmaGemm.IsAskedFor ? "; wgmma" : "")}");
        foreach ((GemmProduct product, GemmChoice choice) in _table.Read())
        {
            Chooser.Keep(product, choice);
        }
    }

    /// <summary>What decides: by measurements where there are some, which are read from the user's folder for caches.</summary>
    public GemmChooser Chooser { get; }

    /// <summary>Keeps what was measured for processes to come; false where it cannot be written.</summary>
    public bool Store() => _table.Write(Chooser.Kept);

    /// <summary>Launches the product, or returns false for layouts that only a portable kernel can read.</summary>
    public bool TryMatMul(in MatMulArgs args, GpuPrecision precision)
    {
        if (!TryDescribe(args, out GemmProblem problem, out GemmBatch batch))
        {
            return false;
        }

        GemmRun.Run(this, problem, batch, Chooser.Choose(problem, precision));
        return true;
    }

    /// <summary>As above, of a product that applies a formula to its results; also false where a product and the formula after it are taken to be faster.</summary>
    /// <param name="args">Without a residual; y has room for gates and what they multiply, as results or gradients, or where it is gradients, the part of it that gates have.</param>
    /// <param name="gate">The formula.</param>
    /// <param name="gated">What it gives, or for its gradients the gates.</param>
    /// <param name="precision">Of Float32.</param>
    public bool TryGated(in MatMulArgs args, GemmGate gate, in View gated, GpuPrecision precision)
    {
        if (!TryDescribe(args, out GemmProblem problem, out GemmBatch batch) || batch.Rank > 0 || problem.Accumulate || problem.N * problem.StrideB > int.MaxValue)
        {
            return false;
        }

        (problem.Gate, problem.Gated, problem.StrideGated) = (gate, _context.Pointer(gated), GemmBatch.Stride(gated, 2));
        if (problem.StrideGated > GemmViews.MostStride || !Chooser.FusionPays(problem, precision))
        {
            return false;
        }

        GemmRun.Run(this, problem, Chooser.Choose(problem, precision));
        return true;
    }

    /// <summary>As <see cref="TryMatMul"/>, of a product that turns heads; also false where pairs are not in whole stores of one warp, and where a product and the turn after it are taken to be faster.</summary>
    public bool TryRotary(in RotaryLinearCall call, GpuPrecision precision)
    {
        if (!TryDescribe(call.Product, out GemmProblem problem, out GemmBatch batch) || batch.Rank > 0)
        {
            return false;
        }

        View table = call.Rotation.Table;
        problem.Rotation = new GemmRotation(call.HeadDim, call.Rotation.Width, call.Rotation.Interleaved, !call.Rotation.Positions.IsNone);
        (problem.Table, problem.StrideTable, problem.Positions) = (_context.Pointer(table), GemmBatch.Stride(table, 2), _context.Pointer(call.Rotation.Positions));
        (problem.Time, problem.LastPosition, problem.TurnedColumns) = (call.Y.Layout[1], table.Layout[0] - 1, call.Heads * call.HeadDim);
        int count = 16 / problem.Output.Size();
        bool isWhole = problem.Spec().WideY && problem.N % count == 0 && problem.Rotation.Value.IsWhole(count) && (problem.Table | problem.StrideTable) % 16 == 0 && problem.StrideTable <= GemmViews.MostStride;
        if (!isWhole || !Chooser.FusionPays(problem, precision))
        {
            return false;
        }

        GemmRun.Run(this, problem, Chooser.Choose(problem, precision));
        return true;
    }

    /// <summary>As <see cref="TryMatMul"/>, of a plain product, with what <see cref="GemmRowSums"/> leaves of its rows; also false where reading the rows once more is taken to be faster.</summary>
    /// <param name="args">Without bias and residual.</param>
    /// <param name="precision">Of Float32.</param>
    /// <param name="parts">[rows, parts] pairs of floats, until the calls that follow are done.</param>
    public bool TryRowSums(in MatMulArgs args, GpuPrecision precision, out ArrayView<float> parts)
    {
        parts = default;
        if (!TryDescribe(args, out GemmProblem problem, out GemmBatch batch) || batch.Rank > 0 || problem.Accumulate || problem.BiasType is not null || problem.ResidualType is not null)
        {
            return false;
        }

        problem.SumsRows = true;
        if (!Chooser.FusionPays(problem, precision))
        {
            return false;
        }

        GemmChoice choice = Chooser.Choose(problem, precision);
        parts = _context.Scratch(2L * sizeof(float) * problem.M * GemmRowSums.Parts(choice.Tile, problem.N)).Cast<float>();
        problem.RowSums = (long)parts.LoadEffectiveAddressAsPtr();
        GemmRun.Run(this, problem, choice);
        return true;
    }

    /// <summary>As above, of a grouped product.</summary>
    public bool TryGroupedMatMul(in GroupedMatMulArgs args, GpuPrecision precision)
    {
        if (!GemmViews.TryDescribe(args, out GemmProblem problem))
        {
            return false;
        }

        problem.A = _context.Pointer(args.A);
        problem.B = _context.Pointer(args.B);
        problem.Y = _context.Pointer(args.Y);
        problem.Offsets = _context.Pointer(args.Offsets);
        GemmRun.Run(this, problem, Chooser.Choose(problem, precision));
        return true;
    }

    /// <summary>The product as kernels see it, for a tuner; of more than two batch dimensions it is the first part.</summary>
    public bool TryDescribe(in MatMulArgs args, out GemmProblem problem, out GemmBatch batch)
    {
        if (!GemmViews.TryDescribe(args, out problem, out batch))
        {
            return false;
        }

        problem.A = _context.Pointer(args.A);
        problem.B = _context.Pointer(args.B);
        problem.Y = _context.Pointer(args.Y);
        problem.Bias = _context.Pointer(args.Bias);
        problem.Residual = _context.Pointer(args.Residual);
        return true;
    }

    /// <summary>Launches a product by a given kernel.</summary>
    public void Run(in GemmProblem problem, in GemmChoice choice) => GemmRun.Run(this, problem, choice);

    public long Scratch(long bytes) => (long)_context.Scratch(bytes).LoadEffectiveAddressAsPtr();

    public long Counters(int count) => _context.Counters.Of(count);

    public bool AddsSlicesApart => SliceRun.IsApart;

    public int Multiprocessors { get; }

    public TensorMap Map(in TensorMapShape shape) => _maps.Of(shape);

    public void Launch<T>(in GemmKernelKey key, in T arguments, int gridX, int gridY, int gridZ)
        where T : unmanaged
    {
        if (!_kernels.TryGetValue(key, out PtxKernel? kernel))
        {
            kernel = new PtxKernel(_context, key.Write(_architecture, _startEarly), key.Name);
            _kernels.Add(key, kernel);
        }

        kernel.Launch(arguments, gridX, gridY, gridZ);
    }

    public void Dispose()
    {
        foreach (PtxKernel kernel in _kernels.Values)
        {
            kernel.Dispose();
        }

        _kernels.Clear();
    }
}
