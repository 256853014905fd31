using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Head and cross-entropy in one: rows without a target never reach the head, and logits = x Wᵀ exist a chunk of rows at a time, but where
/// there are few of them: keeping those for the backward pass costs less than making them again.
/// x [.., C], W [V, C], targets Int32 [..]. Composed of <see cref="LinearOp"/> and <see cref="CrossEntropyOp"/> where the backend lacks the kernel.
/// </summary>
public sealed class LinearCrossEntropyOp(IKernel<LinearCrossEntropyCall> kernel, IKernel<LinearCrossEntropyBackwardCall> backwardKernel) : Op
{
    private const int Losses = 1, LogSumExp = 2, Kept = 3;

    public override string Name => "linear-cross-entropy";

    /// <returns>The loss [1] and each row's nats [N].</returns>
    public static (Tensor Loss, Tensor Losses) Record(Tape tape, Tensor x, Tensor weight, Tensor targets)
    {
        if (x.Layout.Rows != targets.Layout.Count || x[-1] != weight[1])
        {
            throw new ArgumentException($"linear-cross-entropy: x {x}, weight {weight}, targets {targets}; expected [N, C], [V, C], [N]");
        }

        if (tape.Backend.Find<LinearCrossEntropyCall>() is not { } kernel)
        {
            return CrossEntropyOp.Record(tape, LinearOp.Record(tape, x, weight), targets);
        }

        int rows = checked((int)x.Layout.Rows);
        (Tensor flat, Tensor flatTargets) = (x.Reshape(rows, x[-1]), targets.Reshape(rows));
        var op = new LinearCrossEntropyOp(kernel, tape.Backend.Require<LinearCrossEntropyBackwardCall>());
        Tensor[] outputs = tape.Record(op, [flat, weight, flatTargets],
            [(Layout.Of(1), tape.Type.Sum()), (Layout.Of(rows), tape.Type.Sum()), (Layout.Of(rows), tape.Type.Sum()), .. KeptOutput(tape, kernel, flat, weight)]);
        return (outputs[0], outputs[Losses]);
    }

    public override bool HasSideEffects => true;

    public override bool IsDifferentiable(int input) => input != 2;

    public override bool BackwardReadsOutput(int output) => output >= LogSumExp;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(Call(call));

    public override void Backward(Backend backend, OpCall call)
    {
        backwardKernel.Run(Gradient(call));
    }

    public override long ForwardScratchBytes(Node node) => kernel.ScratchBytes(Call(OpCall.OfShapes(node)));

    public override long BackwardScratchBytes(Node node) => backwardKernel.ScratchBytes(Gradient(OpCall.OfShapes(node)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width, int vocab) in new[] { (1, 3, 2), (9, 7, 13), (300, 5, 33), (1030, 2, 4100) })
        {
            double[] targets = [.. Enumerable.Range(0, rows).Select(i => i % 3 == 2 ? -1 : i * 5 % vocab)];
            yield return new OpCase($"linear-cross-entropy [{rows}, {width}] x [{vocab}, {width}]",
                [OpInput.Real(rows, width), OpInput.Weight(vocab, width), new OpInput([rows]) { IsInteger = true, Values = targets }],
                (tape, t) => Record(tape, t[0], t[1], t[2]).Loss,
                a => [CrossEntropyOp.Reference(NaiveLogits(a[0], a[1], rows, width, vocab), a[2], vocab)]);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int rows, int width, int vocab) = (s.Tokens, s.Width, s.Vocab);
        yield return new OpCase($"linear-cross-entropy {s.Name} [{rows}, {width}] x [{vocab}, {width}]",
            [OpInput.Real(rows, width), OpInput.Weight(vocab, width) with { Low = -0.25, High = 0.25 }, OpInput.Integers(vocab, rows)],
            (tape, t) => Record(tape, t[0], t[1], t[2]).Loss,
            a => [CrossEntropyOp.Reference(NaiveLogits(a[0], a[1], rows, width, vocab), a[2], vocab)]);
    }

    // As many floats as the kernel has bytes to keep, a row of x each.
    private static (Layout, DType)[] KeptOutput(Tape tape, IKernel<LinearCrossEntropyCall> kernel, Tensor x, Tensor weight)
    {
        if (!tape.KeepsForGradient)
        {
            return [];
        }

        View Shape(in Layout layout) => View.OfShape(layout, tape.Type);
        long bytes = kernel.KeptBytes(new LinearCrossEntropyCall { X = Shape(x.Layout), Weight = Shape(weight.Layout) });
        long rowBytes = (bytes + x[0] - 1) / x[0];
        return bytes == 0 ? [] : [(Layout.Of(x[0], checked((int)((rowBytes + sizeof(float) - 1) / sizeof(float)))), DType.Float32)];
    }

    private static bool Keeps(Node node) => node.Outputs.Count > Kept;

    private static View KeptOf(OpCall call) => Keeps(call.Node) ? call.Output(Kept) : default;

    private static LinearCrossEntropyCall Call(OpCall call) => new(
        call.State, call.Input(0), call.Input(1), call.Input(2), call.Output(Losses), call.Output(LogSumExp), call.Output(0), call.Scratch, KeptOf(call),
        call.Rounding);

    private static LinearCrossEntropyBackwardCall Gradient(OpCall call) => new(
        call.State, call.Input(0), call.Input(1), call.Input(2), call.Output(LogSumExp), call.OutputGradient(0),
        call.InputGradient(0), call.Accumulates(0), call.InputGradient(1), call.Scratch, KeptOf(call), call.Rounding)
    {
        BeginsWeight = !call.Accumulates(1),
    };

    private static double[] NaiveLogits(double[] x, double[] w, int rows, int width, int vocab) =>
        [.. Enumerable.Range(0, rows * vocab).Select(i => Enumerable.Range(0, width).Sum(c => x[i / vocab * width + c] * w[i % vocab * width + c]))];
}
