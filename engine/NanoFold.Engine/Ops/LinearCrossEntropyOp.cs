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
public sealed class LinearCrossEntropyOp(ILinearCrossEntropy kernel) : Op
{
    private const int Losses = 1, LogSumExp = 2, Logits = 3;

    public override string Name => "linear-cross-entropy";

    /// <returns>The loss [1] and each row's nats [N].</returns>
    public static (Tensor Loss, Tensor Losses) Record(Tape tape, Tensor x, Tensor weight, Tensor targets)
    {
        if (x.Layout.Rows != targets.Layout.Count || x[-1] != weight[1])
        {
            throw new ArgumentException($"linear-cross-entropy: x {x}, weight {weight}, targets {targets}; expected [N, C], [V, C], [N]");
        }

        if (tape.Backend.FindInterface<ILinearCrossEntropy>() is not { } kernel)
        {
            return CrossEntropyOp.Record(tape, LinearOp.Record(tape, x, weight), targets);
        }

        int rows = checked((int)x.Layout.Rows);
        Tensor[] outputs = tape.Record(new LinearCrossEntropyOp(kernel), [x.Reshape(rows, x[-1]), weight, targets.Reshape(rows)],
            [(Layout.Of(1), tape.Type.Sum()), (Layout.Of(rows), tape.Type.Sum()), (Layout.Of(rows), tape.Type.Sum()), .. KeptLogits(tape, kernel, rows, weight[0])]);
        return (outputs[0], outputs[Losses]);
    }

    public override bool HasSideEffects => true;

    public override bool IsDifferentiable(int input) => input != 2;

    public override bool BackwardReadsOutput(int output) => output >= LogSumExp;

    public override void Forward(Backend backend, OpCall call) => kernel.Forward(
        call.Input(0), call.Input(1), call.Input(2), call.Output(Losses), call.Output(LogSumExp), call.Output(0), call.Scratch, Kept(call));

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, 1);
        kernel.Backward(
            call.Input(0), call.Input(1), call.Input(2), call.Output(LogSumExp), call.OutputGradient(0),
            call.InputGradient(0), call.Accumulates(0), call.InputGradient(1), call.Scratch, Kept(call));
    }

    public override long ForwardScratchBytes(Node node) => Scratch(node);

    public override long BackwardScratchBytes(Node node) => Scratch(node);

    public override OpCost Cost(Node node)
    {
        long rows = node.Inputs[0].Layout.Rows, width = node.Inputs[1][1], vocab = node.Inputs[1][0];
        long flops = 2 * rows * width * vocab, bytes = node.Inputs[0].Type.Size() * (rows * width + vocab * width + rows * vocab);
        int products = Keeps(node) ? 2 : 3;
        return new OpCost(flops, products * flops, bytes, products * bytes);
    }

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

    private static (Layout, DType)[] KeptLogits(Tape tape, ILinearCrossEntropy kernel, int rows, int vocab) =>
        tape.IsTraining && kernel.KeepsLogits(rows, vocab, tape.Type) ? [(Layout.Of(rows, kernel.LogitsColumns(vocab, tape.Type)), tape.Type)] : [];

    // Rows may be longer than the vocabulary.
    private static View Kept(OpCall call)
    {
        if (!Keeps(call.Node))
        {
            return default;
        }

        ref readonly View padded = ref call.Output(Logits);
        return padded.With(padded.Layout.Slice(1, 0, call.Input(1).Layout[0], out _));
    }

    private static bool Keeps(Node node) => node.Outputs.Count > Logits;

    private long Scratch(Node node) => kernel.ScratchBytes(node.Inputs[0].Layout.Rows, node.Inputs[1][1], node.Inputs[1][0], Keeps(node));

    private static double[] NaiveLogits(double[] x, double[] w, int rows, int width, int vocab) =>
        [.. Enumerable.Range(0, rows * vocab).Select(i => Enumerable.Range(0, width).Sum(c => x[i / vocab * width + c] * w[i % vocab * width + c]))];
}
