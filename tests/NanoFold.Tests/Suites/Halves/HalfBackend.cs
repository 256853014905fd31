using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Tests.Suites.Halves;

/// <summary>
/// A device with types of 16 bits, emulated: each call checks its views as every backend does, computes in single precision on the CPU, and rounds
/// its results. So the engine's path of 16 bits can be run anywhere.
/// </summary>
internal sealed class HalfBackend : Backend
{
    private readonly CpuBackend _cpu;

    /// <param name="composedOnly">Hides fused kernels that have a composed path.</param>
    public HalfBackend(bool composedOnly = false)
        => _cpu = new CpuBackend(1, composedOnly: composedOnly);

    public override string Name => $"half on {_cpu.Name}";

    public override bool HasTensorFloat32 => true;

    public override KernelTable Kernels => _cpu.Kernels;

    public override StepState NewState() => _cpu.NewState();

    public override DeviceBuffer Allocate(long bytes) => _cpu.Allocate(bytes);

    public override void Upload<T>(ReadOnlySpan<T> source, in View target) => _cpu.Upload(source, target);

    public override void Download<T>(in View source, Span<T> target) => _cpu.Download(source, target);

    public override void Fill(in View y, double value)
    {
        using var half = new HalfOperands();
        _cpu.Fill(half.Out(y), value);
    }

    public override void Copy(in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Copy(x, y, accumulate);
        using var half = new HalfOperands();
        _cpu.Copy(half.In(x), half.Out(y), accumulate);
    }

    public override void Map<TOp>(TOp op, in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("map", x, y);
        using var half = new HalfOperands();
        _cpu.Map(op, half.In(x), half.Out(y), accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("zip", a, b, y);
        using var half = new HalfOperands();
        _cpu.Zip(op, half.In(a), half.In(b), half.Out(y), accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulate = false)
    {
        BackendChecks.Pointwise("zip", a, b, c, y);
        using var half = new HalfOperands();
        _cpu.Zip(op, half.In(a), half.In(b), half.In(c), half.Out(y), accumulate);
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
    {
        BackendChecks.Pointwise("zip", a, b, c, y, z);
        if (!y.Type.Is16Bit())
        {
            _cpu.Zip(op, a, b, c, y, accumulateY, z, accumulateZ);
            return;
        }

        // Both results may be added up in one place, so one is written after the other.
        using (var half = new HalfOperands())
        {
            _cpu.Zip(op, half.In(a), half.In(b), half.In(c), half.Out(y), accumulateY, half.In(z), accumulateZ);
        }

        using (var half = new HalfOperands())
        {
            _cpu.Zip(op, half.In(a), half.In(b), half.In(c), half.In(y), accumulateY, half.Out(z), accumulateZ);
        }
    }

    public override void Sum(in View x, in View y, bool accumulate = false)
    {
        BackendChecks.Sum(x, y);
        using var half = new HalfOperands();
        _cpu.Sum(half.In(x), half.Out(y), accumulate);
    }

    public override void MatMul(in MatMulArgs args)
    {
        BackendChecks.MatMul(args);
        using var half = new HalfOperands();
        View residual = half.In(args.Residual);
        if (args.Y.Type.Is16Bit() && !residual.IsNone)
        {
            MatMul(args, default);
            _cpu.Zip(default(Addition), half.In(args.Y), residual, half.Out(args.Y));
            return;
        }

        MatMul(args, residual);
    }

    public override void GroupedMatMul(in GroupedMatMulArgs args)
    {
        BackendChecks.GroupedMatMul(args);
        using var half = new HalfOperands();
        _cpu.GroupedMatMul(new GroupedMatMulArgs
        {
            A = half.In(args.A),
            B = half.In(args.B),
            Y = half.Out(args.Y),
            Offsets = args.Offsets,
            TransposeB = args.TransposeB,
            PerGroupOutput = args.PerGroupOutput,
            Accumulate = args.Accumulate,
        });
    }

    public override void Gather(in View table, in View ids, in View y, bool accumulate = false)
    {
        BackendChecks.Gather(table, ids, y);
        using var half = new HalfOperands();
        _cpu.Gather(half.In(table), ids, half.Out(y), accumulate);
    }

    public override void ScatterAdd(in View x, in View ids, in View table)
    {
        BackendChecks.ScatterAdd(x, ids, table);
        using var half = new HalfOperands();
        _cpu.ScatterAdd(half.In(x), ids, half.Out(table));
    }

    public override void TopK(in View x, in View values, in View indices)
    {
        BackendChecks.TopK(x, values, indices);
        using var half = new HalfOperands();
        _cpu.TopK(half.In(x), half.Out(values), indices);
    }

    public override void Update<TFormula>(TFormula formula, in UpdateArgs args) => _cpu.Update(formula, args);

    public override void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate = false)
    {
        BackendChecks.Dropout(state, x, y, rate);
        using var half = new HalfOperands();
        _cpu.Dropout(state, half.In(x), half.Out(y), rate, stream, accumulate);
    }

    public override void Softmax(in View x, in View y, double scale, in Visible visible)
    {
        BackendChecks.Softmax(x, y, visible);
        using var half = new HalfOperands();
        _cpu.Softmax(half.In(x), half.Out(y), scale, visible);
    }

    public override void SoftmaxBackward(in View y, in View dy, in View dx, double scale, bool accumulate = false)
    {
        BackendChecks.SoftmaxBackward(y, dy, dx);
        using var half = new HalfOperands();
        _cpu.SoftmaxBackward(half.In(y), half.In(dy), half.Out(dx), scale, accumulate);
    }

    public override IKernel<TCall>? Find<TCall>() => _cpu.Find<TCall>() is { } found ? new HalfKernel<TCall>(found) : null;

    public override void Dispose() => _cpu.Dispose();

    private void MatMul(in MatMulArgs args, in View residual)
    {
        using var half = new HalfOperands();
        _cpu.MatMul(new MatMulArgs
        {
            A = half.In(args.A),
            B = half.In(args.B),
            Y = half.Out(args.Y),
            TransposeA = args.TransposeA,
            TransposeB = args.TransposeB,
            Alpha = args.Alpha,
            Accumulate = args.Accumulate,
            IsSymmetric = args.IsSymmetric,
            Bias = half.In(args.Bias),
            Residual = residual,
        });
    }

    private readonly struct Addition : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a + b;
    }
}
