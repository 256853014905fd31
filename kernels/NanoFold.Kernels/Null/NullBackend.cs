using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Kernels.Null;

/// <summary>Shapes only: every call is validated as on a device and does nothing, so that plans and dry runs need no memory. Downloads are zeros.</summary>
public sealed class NullBackend : Backend
{
    private readonly Backend? _like;

    /// <param name="like">A backend whose choice of kernels and sizes of scratch are taken over, so that a plan is the one it would get; it is not disposed here. Null: every kernel, no scratch.</param>
    public NullBackend(Backend? like = null)
    {
        _like = like;
        Kernels = like?.Kernels ?? new KernelTable(composedOnly: false);
    }

    public override string Name => _like is null ? "null" : $"null, as {_like.Name}";

    public override bool HoldsValues => false;

    public override StepState NewState() => new CpuStepState();

    public override KernelTable Kernels { get; }

    public override bool HasTensorFloat32 => _like?.HasTensorFloat32 ?? true;

    public override bool RoundsToBFloat16 => _like is { RoundsToBFloat16: true };

    public override bool OverwritesGradients => _like is { OverwritesGradients: true };

    public override bool JoinsProducts => _like is { JoinsProducts: true };

    public override bool RunsTogether => _like is { RunsTogether: true };

    public override bool Supports(DType type) => _like?.Supports(type) ?? true;

    public override bool ReadsWeights(DType type) => _like?.ReadsWeights(type) ?? true;

    public override DeviceBuffer Allocate(long bytes) => new NullBuffer(bytes);

    public override void Upload<T>(ReadOnlySpan<T> source, in View target) => BackendChecks.Transfer<T>("upload", target, source.Length);

    public override void Download<T>(in View source, Span<T> target)
    {
        BackendChecks.Transfer<T>("download", source, target.Length);
        target.Clear();
    }

    public override void Fill(in View y, double value) => Checks.Writable("fill", "y", y);

    public override void Copy(in View x, in View y, bool accumulate = false) => BackendChecks.Copy(x, y, accumulate, weights: true);

    public override void Map<TOp>(TOp op, in View x, in View y, bool accumulate = false) => BackendChecks.Pointwise("map", x, y);

    public override void Zip<TOp>(TOp op, in View a, in View b, in View y, bool accumulate = false) => BackendChecks.Pointwise("zip", a, b, y);

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulate = false) => BackendChecks.Pointwise("zip", a, b, c, y);

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ)
        => BackendChecks.Pointwise("zip", a, b, c, y, z);

    public override void Sum(in View x, in View y, bool accumulate = false) => BackendChecks.Sum(x, y);

    public override void MatMul(in MatMulArgs args) => BackendChecks.MatMul(args, weights: true);

    public override void GroupedMatMul(in GroupedMatMulArgs args) => BackendChecks.GroupedMatMul(args, weights: true);

    public override void Gather(in View table, in View ids, in View y, bool accumulate = false) => BackendChecks.Gather(table, ids, y, weights: true);

    public override void ScatterAdd(in View x, in View ids, in View table) => BackendChecks.ScatterAdd(x, ids, table);

    public override void TopK(in View x, in View values, in View indices) => BackendChecks.TopK(x, values, indices);

    public override void Update<TFormula>(TFormula formula, in UpdateArgs args) => BackendChecks.Update<TFormula>(args);

    public override void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate = false) => BackendChecks.Dropout(state, x, y, rate);

    public override void Softmax(in View x, in View y, double scale, in Visible visible) => BackendChecks.Softmax(x, y, visible);

    public override void SoftmaxBackward(in View y, in View dy, in View dx, double scale, bool accumulate = false) => BackendChecks.SoftmaxBackward(y, dy, dx);

    public override IKernel<TCall>? Find<TCall>()
        => _like is null ? Kernels.Find<TCall>() ?? new NullKernel<TCall>(null) : _like.Find<TCall>() is { } like ? new NullKernel<TCall>(like) : null;

    public override void Dispose()
    {
    }
}

/// <summary>The kernel of any call that checks it and does nothing.</summary>
/// <param name="like">Whose sizes of scratch and of what is kept are taken over; null: none.</param>
internal sealed class NullKernel<TCall>(IKernel<TCall>? like) : IKernel<TCall>
    where TCall : struct, IKernelCall<TCall>
{
    public void Run(in TCall call) => call.Check();

    public long ScratchBytes(in TCall shape) => like?.ScratchBytes(shape) ?? 0;

    public long KeptBytes(in TCall shape) => like?.KeptBytes(shape) ?? 0;
}

/// <summary>A length without memory behind it.</summary>
public sealed class NullBuffer : DeviceBuffer
{
    public NullBuffer(long bytes)
        : base(bytes)
        => ArgumentOutOfRangeException.ThrowIfNegative(bytes);

    public override void Dispose()
    {
    }
}
