using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Makes any numbers a loss, or a term beside it: loss [1] = factor · weight · mean(x) / MicroBatchCount, or factor · weight · Σ x / TargetCount. It is added up
/// in the step's state, where it is reported under its key, and where a step is skipped if it is not finite. The weight is a slot of the state, so it may change
/// from step to step. dx = factor · weight / (N · MicroBatchCount), or factor · weight / TargetCount; none flows to the weight.
/// </summary>
public sealed class LossTermOp(Backend backend, LossTermScale scale, StepSlot term) : Op
{
    private readonly IKernel<LossTermCall> _forward = backend.Require<LossTermCall>();
    private readonly IKernel<LossTermBackwardCall> _backward = backend.Require<LossTermBackwardCall>();

    public override string Name => "loss-term";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">Of any shape, contiguous: of each row, token or pair what it costs.</param>
    /// <param name="key">Under which the term is reported, as <c>klLoss</c>; null: it is the loss itself.</param>
    /// <param name="factor">The same at every step.</param>
    /// <param name="weight">A slot of the tape's state that says it anew at every step (<see cref="StepState.Add"/>), or none.</param>
    /// <param name="perTarget">The sum of x divided by the targets of the step, as the loss is, rather than the mean of x: where only marked places count.</param>
    /// <returns>[1], for <see cref="Tape.AddLoss"/>.</returns>
    public static Tensor Record(Tape tape, Tensor x, string? key, double factor = 1, StepSlot weight = StepSlot.None, bool perTarget = false)
    {
        if (!x.Layout.IsContiguous || x.Type == DType.Int32)
        {
            throw new ArgumentException($"loss-term: x {x}; expected contiguous reals");
        }

        LossTermScale scale = perTarget
            ? new(factor, weight, StepSlot.TargetCount)
            : new(factor / x.Layout.Count, weight, StepSlot.MicroBatchCount);
        var op = new LossTermOp(tape.Backend, scale, key is null ? StepSlot.Loss : tape.AddLossTerm(key));
        return tape.Record(op, [x], [(Layout.Of(1), x.Type.Sum())])[0];
    }

    public override bool HasSideEffects => true;

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call)
        => _forward.Run(new LossTermCall(call.State, Flat(call.Input(0)), call.Output(0), scale, term));

    public override void Backward(Backend backend, OpCall call)
        => _backward.Run(new LossTermBackwardCall(call.State, call.OutputGradient(0), Flat(call.InputGradient(0)), scale, call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("loss-term of a mean [3, 5]", [OpInput.Real(3, 5)],
            (tape, t) => Record(tape, t[0], "term", 0.7), a => [0.7 * a[0].Average()]);
        yield return new OpCase("loss-term for each target [333], with a weight", [OpInput.Real(333)],
            (tape, t) => Record(tape, t[0], "term", -0.5, tape.State.Add("weight", 3), perTarget: true), a => [-1.5 * a[0].Sum()])
        { Tolerance = 1e-5 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"loss-term {s.Name} [{s.Tokens}]", [OpInput.Real(s.Tokens)], (tape, t) => Record(tape, t[0], "term"), a => [a[0].Average()]);
    }

    private static View Flat(in View x) => x.With(Layout.Of(checked((int)x.Count)));
}
