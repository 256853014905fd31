using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Profiling;

/// <summary>
/// A backend around another that notes each call and what it costs in a log, fused kernels too; results are the inner backend's to the bit.
/// Where the log is off a call is passed on and nothing else. With a device that works behind the host's back the log has that device's clock.
/// </summary>
public sealed class ProfiledBackend : Backend
{
    private readonly Backend _inner;
    private readonly EventLog _log;

    /// <param name="inner">Does the work; not disposed here.</param>
    /// <param name="log">Where calls are noted.</param>
    public ProfiledBackend(Backend inner, EventLog log)
    {
        _inner = inner;
        _log = log;
    }

    public override string Name => _inner.Name;

    public override bool HoldsValues => _inner.HoldsValues;

    public override StepState NewState() => _inner.NewState();

    public override KernelTable Kernels => _inner.Kernels;

    public override bool HasTensorFloat32 => _inner.HasTensorFloat32;

    public override bool RoundsToBFloat16 => _inner.RoundsToBFloat16;

    public override bool RoundsOperands
    {
        get => _inner.RoundsOperands;
        set => _inner.RoundsOperands = value;
    }

    public override string? LacksBFloat16 => _inner.LacksBFloat16;

    public override int Sequences
    {
        get => _inner.Sequences;
        set => _inner.Sequences = value;
    }

    public override bool KeepsSequencesApart => _inner.KeepsSequencesApart;

    public override bool CanRoundActivations => _inner.CanRoundActivations;

    public override bool RoundsActivations
    {
        get => _inner.RoundsActivations;
        set => _inner.RoundsActivations = value;
    }

    public override bool CanCacheIn(DType type) => _inner.CanCacheIn(type);

    public override DType CacheType
    {
        get => _inner.CacheType;
        set => _inner.CacheType = value;
    }

    public override bool OverwritesGradients => _inner.OverwritesGradients;

    public override bool JoinsProducts => _inner.JoinsProducts;

    public override bool RunsTogether => _inner.RunsTogether;

    public override bool Supports(DType type) => _inner.Supports(type);

    public override bool ReadsWeights(DType type) => _inner.ReadsWeights(type);

    public override DeviceBuffer? Map(string path) => _inner.Map(path);

    public override long? FreeBytes => _inner.FreeBytes;

    public override IReadOnlyList<CompiledKernel> CompiledKernels => _inner.CompiledKernels;

    public override void Synchronize() => _inner.Synchronize();

    public override RecordedCalls? Capture(Action calls) => _inner.Capture(calls);

    public override DeviceClock? NewClock() => _inner.NewClock();

    public override DeviceBuffer Allocate(long bytes) => _inner.Allocate(bytes);

    public override void Upload<T>(ReadOnlySpan<T> source, in View target)
    {
        if (_log.IsOn)
        {
            Begin("upload", new KernelCost(0, 2 * KernelCost.BytesOf(target)));
        }

        _inner.Upload(source, target);
        _log.End();
    }

    public override void Download<T>(in View source, Span<T> target)
    {
        if (_log.IsOn)
        {
            Begin("download", new KernelCost(0, 2 * KernelCost.BytesOf(source)));
        }

        _inner.Download(source, target);
        _log.End();
    }

    public override void Fill(in View y, double value)
    {
        if (_log.IsOn)
        {
            Begin("fill", new KernelCost(0, KernelCost.BytesOf(y)));
        }

        _inner.Fill(y, value);
        _log.End();
    }

    public override void Copy(in View x, in View y, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            Begin("copy", KernelCost.Pointwise(0, y, accumulate, KernelCost.BytesOf(x)));
        }

        _inner.Copy(x, y, accumulate);
        _log.End();
    }

    public override void Map<TOp>(TOp op, in View x, in View y, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            Begin(Formula.Unary<TOp>.Name, KernelCost.Pointwise(Formula.Unary<TOp>.Flops, y, accumulate, KernelCost.BytesOf(x)));
        }

        _inner.Map(op, x, y, accumulate);
        _log.End();
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View y, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            Begin(Formula.Binary<TOp>.Name, KernelCost.Pointwise(Formula.Binary<TOp>.Flops, y, accumulate, KernelCost.BytesOf(a) + KernelCost.BytesOf(b)));
        }

        _inner.Zip(op, a, b, y, accumulate);
        _log.End();
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            double operands = KernelCost.BytesOf(a) + KernelCost.BytesOf(b) + KernelCost.BytesOf(c);
            Begin(Formula.Ternary<TOp>.Name, KernelCost.Pointwise(Formula.Ternary<TOp>.Flops, y, accumulate, operands));
        }

        _inner.Zip(op, a, b, c, y, accumulate);
        _log.End();
    }

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
    {
        if (_log.IsOn)
        {
            double operands = KernelCost.BytesOf(a) + KernelCost.BytesOf(b) + KernelCost.BytesOf(c);
            Begin(Formula.Pair<TOp>.Name, KernelCost.Pointwise(Formula.Pair<TOp>.Flops, y, accumulateY, operands) + KernelCost.Pointwise(0, z, accumulateZ, 0));
        }

        _inner.Zip(op, a, b, c, y, accumulateY, z, accumulateZ);
        _log.End();
    }

    public override void Sum(in View x, in View y, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            Begin("sum", new KernelCost(x.Count, KernelCost.BytesOf(x) + KernelCost.BytesOf(y, accumulate)));
        }

        _inner.Sum(x, y, accumulate);
        _log.End();
    }

    public override void MatMul(in MatMulArgs args)
    {
        if (_log.IsOn)
        {
            BackendChecks.MatMul(args, _inner.ReadsWeights(args.B.Type));
            _log.Begin(EventKind.Kernel, "matmul", KernelCost.MatMul(args), KernelCost.ShapeOf(args));
        }

        _inner.MatMul(args);
        _log.End();
    }

    public override void GroupedMatMul(in GroupedMatMulArgs args)
    {
        if (_log.IsOn)
        {
            BackendChecks.GroupedMatMul(args, _inner.ReadsWeights(args.B.Type));
            _log.Begin(EventKind.Kernel, "grouped-matmul", KernelCost.GroupedMatMul(args), KernelCost.ShapeOf(args));
        }

        _inner.GroupedMatMul(args);
        _log.End();
    }

    public override void Gather(in View table, in View ids, in View y, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            // Of the table only the rows that are asked for.
            Begin("gather", KernelCost.Pointwise(0, y, accumulate, KernelCost.BytesOf(y) + KernelCost.BytesOf(ids)));
        }

        _inner.Gather(table, ids, y, accumulate);
        _log.End();
    }

    public override void ScatterAdd(in View x, in View ids, in View table)
    {
        if (_log.IsOn)
        {
            Begin("scatter-add", new KernelCost(x.Count, (3 * KernelCost.BytesOf(x)) + KernelCost.BytesOf(ids)));
        }

        _inner.ScatterAdd(x, ids, table);
        _log.End();
    }

    public override void TopK(in View x, in View values, in View indices)
    {
        if (_log.IsOn)
        {
            Begin("top-k", new KernelCost(x.Count, KernelCost.BytesOf(x) + KernelCost.BytesOf(values) + KernelCost.BytesOf(indices)));
        }

        _inner.TopK(x, values, indices);
        _log.End();
    }

    public override void Update<TFormula>(TFormula formula, in UpdateArgs args)
    {
        if (_log.IsOn)
        {
            double bytes = KernelCost.BytesOf(args.Gradient) + ((1 + TFormula.Slots) * KernelCost.BytesOf(args.Parameter, accumulate: true));
            Begin(Formula.Update<TFormula>.Name, new KernelCost((double)args.Parameter.Count * Formula.Update<TFormula>.Flops, bytes));
        }

        _inner.Update(formula, args);
        _log.End();
    }

    public override void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            Begin("dropout", KernelCost.Pointwise(1, y, accumulate, KernelCost.BytesOf(x)));
        }

        _inner.Dropout(state, x, y, rate, stream, accumulate);
        _log.End();
    }

    public override void Softmax(in View x, in View y, double scale, in Visible visible)
    {
        if (_log.IsOn)
        {
            BackendChecks.Softmax(x, y, visible);
            Begin("softmax", KernelCost.Softmax(x, y, visible));
        }

        _inner.Softmax(x, y, scale, visible);
        _log.End();
    }

    public override void SoftmaxBackward(in View y, in View dy, in View dx, double scale, bool accumulate = false)
    {
        if (_log.IsOn)
        {
            // The product's sum, then difference, product and scale.
            Begin("softmax-backward", KernelCost.Pointwise(5, dx, accumulate, KernelCost.BytesOf(y) + KernelCost.BytesOf(dy)));
        }

        _inner.SoftmaxBackward(y, dy, dx, scale, accumulate);
        _log.End();
    }

    public override IKernel<TCall>? Find<TCall>() => _inner.Find<TCall>() is { } found ? new ProfiledKernel<TCall>(found, _log) : null;

    public override void Dispose()
    {
    }

    private void Begin(string name, in KernelCost cost) => _log.Begin(EventKind.Kernel, name, cost);
}
