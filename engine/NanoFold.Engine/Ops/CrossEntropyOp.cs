using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// loss [1] = Σ −ln softmax(logits)[target] / TargetCount, in nats; rows with target −1 count nothing. logits [.., V], targets Int32 [..].
/// dLogits = (softmax − onehot) / TargetCount.
/// </summary>
public sealed class CrossEntropyOp(Backend backend) : Op
{
    private readonly IKernel<CrossEntropyCall> _forward = backend.Require<CrossEntropyCall>();
    private readonly IKernel<CrossEntropyBackwardCall> _backward = backend.Require<CrossEntropyBackwardCall>();

    public override string Name => "cross-entropy";

    /// <returns>The loss [1] and each row's nats [N].</returns>
    public static (Tensor Loss, Tensor Losses) Record(Tape tape, Tensor logits, Tensor targets)
    {
        if (logits.Layout.Rows != targets.Layout.Count)
        {
            throw new ArgumentException($"cross-entropy: logits {logits} and targets {targets}; expected [N, V] and [N]");
        }

        int rows = checked((int)logits.Layout.Rows);
        var op = new CrossEntropyOp(tape.Backend);
        Tensor[] outputs = tape.Record(op, [logits.Reshape(rows, logits[-1]), targets.Reshape(rows)],
            [(Layout.Of(1), tape.Type.Sum()), (Layout.Of(rows), tape.Type.Sum()), (Layout.Of(rows), tape.Type.Sum())]);
        return (outputs[0], outputs[1]);
    }

    public override bool HasSideEffects => true;

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsOutput(int output) => output == 2;

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(new CrossEntropyCall(call.State, call.Input(0), call.Input(1), call.Output(1), call.Output(2), call.Output(0)));

    public override void Backward(Backend backend, OpCall call) => _backward.Run(new CrossEntropyBackwardCall(
        call.State, call.Input(0), call.Input(1), call.Output(2), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int vocab) in new[] { (1, 2), (5, 17), (33, 256), (3, 257) })
        {
            double[] targets = [.. Enumerable.Range(0, rows).Select(i => i % 4 == 3 ? -1 : i * 7 % vocab)];
            yield return new OpCase($"cross-entropy [{rows}, {vocab}]",
                [new OpInput([rows, vocab], -5, 5), new OpInput([rows]) { IsInteger = true, Values = targets }],
                (tape, t) => Record(tape, t[0], t[1]).Loss, a => [Reference(a[0], a[1], vocab)])
            {
                // The loss of one row may be small beside its logits, of which it is a difference.
                Tolerance = rows == 1 ? 1e-4 : 2e-6,
            };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"cross-entropy {s.Name} [{s.Tokens}, {s.Vocab}]", [new OpInput([s.Tokens, s.Vocab], -5, 5), OpInput.Integers(s.Vocab, s.Tokens)],
            (tape, t) => Record(tape, t[0], t[1]).Loss, a => [Reference(a[0], a[1], s.Vocab)]);
    }

    /// <summary>Sum over the rows: the cases run with a TargetCount of 1.</summary>
    internal static double Reference(double[] logits, double[] targets, int vocab)
    {
        double sum = 0;
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                sum += Math.Log(logits.Skip(i * vocab).Take(vocab).Sum(Math.Exp)) - logits[i * vocab + (int)targets[i]];
            }
        }

        return sum;
    }
}
