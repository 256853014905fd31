using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Cpu.Stored;
using NanoFold.Kernels.Cpu.Reduce;
using NanoFold.Kernels.Cpu.Rows;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Cpu;

/// <summary>The backend of the host: SIMD lanes over a pool of threads. Results are the same bits for any number of threads.</summary>
public sealed unsafe class CpuBackend : Backend
{
    private readonly CpuMatMul _matMul;

    /// <param name="threads">Threads that work, the caller's included; at least 1.</param>
    /// <param name="isa">Instruction-set path, or null for the machine's best; any runs anywhere.</param>
    /// <param name="composedOnly">Hides fused kernels that have a composed path, see <see cref="KernelTable"/>.</param>
    public CpuBackend(int threads, Isa? isa = null, bool composedOnly = false)
        : this(new CpuContext(threads, isa ?? IsaExtensions.Best), composedOnly)
    {
    }

    /// <summary>With a context that is this one's from now on.</summary>
    internal CpuBackend(CpuContext context, bool composedOnly = false)
    {
        Context = context;
        _matMul = new CpuMatMul(Context);
        Kernels = new KernelTable(composedOnly, CpuKernels.Create(Context));
        Kernels.AddRegistered(this);
    }

    public CpuContext Context { get; }

    public override string Name => $"cpu {Context.Isa.Name()}, {Context.Workers.Count} {(Context.Workers.Count == 1 ? "thread" : "threads")}";

    public override KernelTable Kernels { get; }

    public override StepState NewState() => new CpuStepState();

    public override int Sequences
    {
        get => Context.Sequences;
        set => Context.Sequences = value;
    }

    public override bool KeepsSequencesApart => true;

    public override bool CanRoundActivations => true;

    public override bool RoundsActivations
    {
        get => Context.RoundsActivations;
        set => Context.RoundsActivations = value;
    }

    public override bool CanCacheIn(DType type) => type == DType.Float32 || type.Is16Bit();

    public override bool Supports(DType type) => CpuContext.Supports(type);

    public override bool RoundsToBFloat16 => true;

    public override bool RoundsOperands
    {
        get => Context.RoundsOperands;
        set => Context.RoundsOperands = value;
    }

    public override string? LacksBFloat16 => Context.Isa == Isa.Vector512 ? RoundedUnits.Reason : RoundedUnits.Reason ?? $"the path {Context.Isa.Name()} has no unit for bfloat16";

    public override bool ReadsWeights(DType type) => type.Is16Bit() || type.IsBlocks();

    public override DeviceBuffer Map(string path) => NativeBuffer.Map(path);

    public override DeviceBuffer Allocate(long bytes) => new NativeBuffer(bytes, isShared: true);

    public override void Upload<T>(ReadOnlySpan<T> source, in View target)
    {
        BackendChecks.Transfer<T>("upload", target, source.Length);
        source.CopyTo(new Span<T>(target.Address, source.Length));
    }

    public override void Download<T>(in View source, Span<T> target)
    {
        BackendChecks.Transfer<T>("download", source, target.Length);
        new ReadOnlySpan<T>(source.Address, target.Length).CopyTo(target);
    }

    public override void Fill(in View y, double value)
    {
        Checks.Writable("fill", "y", y);
        Pointwise.Fill.Run(Context, y, value);
    }

    public override void Copy(in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Copy(x, y, accumulate, weights: true);
        if (StoredCopy.Fits(x, y, accumulate))
        {
            StoredCopy.Run(Context, x, y);
            return;
        }

        if (x.Type.Is16Bit() && x.Type == y.Type && x.Layout.SameShape(y.Layout) && x.Layout.IsContiguous && y.Layout.IsContiguous && !accumulate)
        {
            long bytes = x.Type.Bytes(x.Count);
            unsafe
            {
                Buffer.MemoryCopy(x.Address, y.Address, bytes, bytes);
            }

            return;
        }

        CpuContext.Require(x.Type);
        Pointwise.Copy.Run(Context, x, y, accumulate);
    }

    public override void Map<TOp>(TOp op, in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("map", x, y);
        Pointwise.Map.Run(Context, new Unary<TOp>(op), x, y, accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("zip", a, b, y);
        Pointwise.Map.Run(Context, new Binary<TOp>(op), a, b, b, y, accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("zip", a, b, c, y);
        Pointwise.Map.Run(Context, new Ternary<TOp>(op), a, b, c, y, accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
    {
        BackendChecks.Pointwise("zip", a, b, c, y, z);
        Pointwise.Map.Run(Context, new Pair<TOp>(op), a, b, c, y, accumulateY, z, accumulateZ);
    }

    public override void Sum(in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Sum(x, y);
        Reductions.Sum(Context, x, y, accumulate);
    }

    public override void MatMul(in MatMulArgs args)
    {
        BackendChecks.MatMul(args, weights: true);
        CpuContext.Require(args.A.Type);
        _matMul.MatMul(args);
    }

    public override void MatMulTogether(ReadOnlySpan<MatMulArgs> products)
    {
        foreach (ref readonly MatMulArgs product in products)
        {
            CpuContext.Require(product.A.Type);
        }

        _matMul.MatMulTogether(products);
    }

    public override PreparedCall? PrepareMatMul(in MatMulArgs args) => Supports(args.A.Type) && (args.A.Type == args.B.Type || BackendChecks.IsStored(args.B, args.A)) ? _matMul.Prepare(args) : null;

    public override PreparedCall? PrepareMap<TOp>(TOp op, in View x, in View y)
    {
        BackendChecks.Pointwise("map", x, y);
        return Supports(y.Type) ? Pointwise.Map.Prepare(Context, new Unary<TOp>(op), x, x, y) : null;
    }

    public override PreparedCall? PrepareZip<TOp>(TOp op, in View a, in View b, in View y)
    {
        BackendChecks.Pointwise("zip", a, b, y);
        return Supports(y.Type) ? Pointwise.Map.Prepare(Context, new Binary<TOp>(op), a, b, y) : null;
    }

    public override PreparedCall? PrepareGather(in View table, in View ids, in View y)
    {
        if (!Supports(y.Type) || table.Type != y.Type)
        {
            return null;
        }

        BackendChecks.Gather(table, ids, y);
        return Rows.Gather.Prepare(Context, table, ids, y);
    }

    public override void GroupedMatMul(in GroupedMatMulArgs args)
    {
        BackendChecks.GroupedMatMul(args, weights: true);
        CpuContext.Require(args.A.Type);
        _matMul.GroupedMatMul(args);
    }

    public override void Gather(in View table, in View ids, in View y, bool accumulate = false)
    {
        BackendChecks.Gather(table, ids, y, weights: true);
        if (BackendChecks.IsStored(table, y))
        {
            StoredGather.Run(Context, table, ids, y, accumulate);
            return;
        }

        Rows.Gather.Run(Context, table, ids, y, accumulate);
    }

    public override void ScatterAdd(in View x, in View ids, in View table)
    {
        BackendChecks.ScatterAdd(x, ids, table);
        Rows.Gather.ScatterAdd(Context, x, ids, table);
    }

    public override void TopK(in View x, in View values, in View indices)
    {
        BackendChecks.TopK(x, values, indices);
        Select.TopK(Context, x, values, indices);
    }

    public override void Update<TFormula>(TFormula formula, in UpdateArgs args)
    {
        BackendChecks.Update<TFormula>(args);
        Optimizers.UpdateWork<TFormula>.Run(Context, formula, args);
    }

    public override void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate = false)
    {
        BackendChecks.Dropout(state, x, y, rate);
        Rows.Dropout.Run(Context, state, x, y, rate, stream, accumulate);
    }

    public override void Softmax(in View x, in View y, double scale, in Visible visible)
    {
        BackendChecks.Softmax(x, y, visible);
        Reduce.Softmax.Run(Context, x, y, scale, visible);
    }

    public override void SoftmaxBackward(in View y, in View dy, in View dx, double scale, bool accumulate = false)
    {
        BackendChecks.SoftmaxBackward(y, dy, dx);
        Reduce.SoftmaxBackward.Run(Context, y, dy, dx, scale, accumulate);
    }

    public override void Dispose()
    {
        Kernels.Dispose();
        Context.Dispose();
    }
}
