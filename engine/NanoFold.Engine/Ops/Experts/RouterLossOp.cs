using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// loss [1] = (balance · E · Σ_e f_e P_e + z · mean(logsumexp(logits)²)) / MicroBatchCount: Switch's balancing loss (arXiv 2101.03961) and
/// ST-MoE's z-loss (arXiv 2202.08906). f_e is the share of (token, slot) pairs of expert e, constant in the gradient; P_e its mean probability.
/// The two terms are reported apart, as <c>balanceLoss</c> and <c>zLoss</c>, each where it has a factor.
/// </summary>
public sealed class RouterLossOp(Backend backend, (double Factor, StepSlot Term) balance, (double Factor, StepSlot Term) z) : Op
{
    private readonly IKernel<RouterLossCall> _forward = backend.Require<RouterLossCall>();
    private readonly IKernel<RouterLossBackwardCall> _backward = backend.Require<RouterLossBackwardCall>();

    public override string Name => "router-loss";

    /// <returns>The loss [1] and the load f [E].</returns>
    public static (Tensor Loss, Tensor Load) Record(Tape tape, Tensor logits, Tensor probabilities, Tensor offsets, double balance, double z)
    {
        (double, StepSlot) Term(double factor, string key) => (factor, factor > 0 ? tape.AddLossTerm(key) : StepSlot.None);
        var op = new RouterLossOp(tape.Backend, Term(balance, "balanceLoss"), Term(z, "zLoss"));
        Tensor[] outputs = tape.Record(op, [logits, probabilities, offsets],
            [(Layout.Of(1), tape.Type.Sum()), (Layout.Of(logits[1]), tape.Type.Sum())]);
        return (outputs[0], outputs[1]);
    }

    public override bool HasSideEffects => true;

    // The whole gradient goes to the logits, through the softmax.
    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input != 2;

    public override bool BackwardReadsOutput(int output) => output == 1;

    public override void Forward(Backend backend, OpCall call) =>
        _forward.Run(new RouterLossCall(
            call.State, call.Input(0), call.Input(1), call.Input(2), call.Output(1), call.Output(0), balance.Factor, z.Factor, balance.Term, z.Term));

    public override void Backward(Backend backend, OpCall call) => _backward.Run(new RouterLossBackwardCall(
        call.State, call.Input(0), call.Input(1), call.Output(1), call.OutputGradient(0), call.InputGradient(0), balance.Factor, z.Factor, call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        double[] offsets = [0, 4, 7, 10];
        yield return new OpCase("router-loss [5, 3]",
            [new OpInput([5, 3], -2, 2), new OpInput([4]) { IsInteger = true, Values = offsets }],
            (tape, t) => Record(tape, t[0], SoftmaxOp.Record(tape, t[0]), t[1], 0.3, 0.2).Loss,
            a => Reference(a[0], offsets, 3));
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        const int E = BlockShape.Experts;
        double pairs = s.Tokens * BlockShape.ActiveExperts;
        double[] offsets = [.. Enumerable.Range(0, E + 1).Select(e => pairs * e / E)];
        yield return new OpCase($"router-loss {s.Name} [{s.Tokens}, {E}]",
            [new OpInput([s.Tokens, E], -2, 2), new OpInput([E + 1]) { IsInteger = true, Values = offsets }],
            (tape, t) => Record(tape, t[0], SoftmaxOp.Record(tape, t[0]), t[1], 0.3, 0.2).Loss, a => Reference(a[0], offsets, E));
    }

    private static double[] Reference(double[] logits, double[] offsets, int experts)
    {
        double[][] rows = [.. logits.Chunk(experts)];
        double[] sums = [.. rows.Select(row => row.Sum(Math.Exp))];
        double balance = Enumerable.Range(0, experts).Sum(e =>
            (offsets[e + 1] - offsets[e]) / offsets[experts] * rows.Select((row, n) => Math.Exp(row[e]) / sums[n]).Average());
        return [0.3 * experts * balance + 0.2 * sums.Average(s => Math.Log(s) * Math.Log(s))];
    }
}
