using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Tests.Suites;

/// <summary>Another backend, and the bytes that were asked of it so far. It is not disposed here.</summary>
internal sealed class CountingBackend(Backend inner) : Backend
{
    public long AllocatedBytes { get; private set; }

    /// <summary>Matrix products so far that may round their operands, and those that may not.</summary>
    public (int Allowed, int Not) Rounded { get; private set; }

    /// <summary>What it says is free of its own memory; null for a backend of the host.</summary>
    public long? Free { get; init; }

    public override long? FreeBytes => Free;

    public override string Name => inner.Name;

    public override bool HoldsValues => inner.HoldsValues;

    /// <summary>Whether it says that gradients are begun rather than added to zeros, as a GPU does.</summary>
    public bool Overwrites { get; init; }

    public override bool OverwritesGradients => Overwrites;

    /// <summary>Whether it says that products of one input are joined.</summary>
    public bool Joins { get; init; }

    public override bool JoinsProducts => Joins;

    /// <summary>Whether it says that it is told of calls that do not need each other.</summary>
    public bool Branches { get; init; }

    public override bool RunsTogether => Branches;

    public override KernelTable Kernels => inner.Kernels;

    public override StepState NewState() => inner.NewState();

    public override RecordedCalls? Capture(Action calls) => inner.Capture(calls);

    public override void Synchronize() => inner.Synchronize();

    public override DeviceBuffer Allocate(long bytes)
    {
        AllocatedBytes += bytes;
        return inner.Allocate(bytes);
    }

    public override void Upload<T>(ReadOnlySpan<T> source, in View target) => inner.Upload(source, target);

    public override void Download<T>(in View source, Span<T> target) => inner.Download(source, target);

    public override void Fill(in View y, double value) => inner.Fill(y, value);

    public override void Copy(in View x, in View y, bool accumulate = false) => inner.Copy(x, y, accumulate);

    public override void Map<TOp>(TOp op, in View x, in View y, bool accumulate = false) => inner.Map(op, x, y, accumulate);

    public override void Zip<TOp>(TOp op, in View a, in View b, in View y, bool accumulate = false) => inner.Zip(op, a, b, y, accumulate);

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulate = false) => inner.Zip(op, a, b, c, y, accumulate);

    public override void Zip<TOp>(TOp op, in View a, in View b, in View c, in View y, bool accumulateY, in View z, bool accumulateZ) =>
        inner.Zip(op, a, b, c, y, accumulateY, z, accumulateZ);

    public override void Sum(in View x, in View y, bool accumulate = false) => inner.Sum(x, y, accumulate);

    public override void MatMul(in MatMulArgs args)
    {
        Count(args.Rounding);
        inner.MatMul(args);
    }

    public override void GroupedMatMul(in GroupedMatMulArgs args)
    {
        Count(args.Rounding);
        inner.GroupedMatMul(args);
    }

    public override void Gather(in View table, in View ids, in View y, bool accumulate = false) => inner.Gather(table, ids, y, accumulate);

    public override void ScatterAdd(in View x, in View ids, in View table) => inner.ScatterAdd(x, ids, table);

    public override void TopK(in View x, in View values, in View indices) => inner.TopK(x, values, indices);

    public override void Update<TFormula>(TFormula formula, in UpdateArgs args) => inner.Update(formula, args);

    public override void Dropout(StepState state, in View x, in View y, double rate, int stream, bool accumulate = false) => inner.Dropout(state, x, y, rate, stream, accumulate);

    public override void Softmax(in View x, in View y, double scale, in Visible visible) => inner.Softmax(x, y, scale, visible);

    public override void SoftmaxBackward(in View y, in View dy, in View dx, double scale, bool accumulate = false) =>
        inner.SoftmaxBackward(y, dy, dx, scale, accumulate);

    public override IKernel<TCall>? Find<TCall>() => inner.Find<TCall>();

    public override void Dispose()
    {
    }

    private void Count(OperandRounding rounding) => Rounded = rounding != OperandRounding.None ? (Rounded.Allowed + 1, Rounded.Not) : (Rounded.Allowed, Rounded.Not + 1);
}
