using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = x ⊙ m / (1 − rate), m Bernoulli (arXiv 1207.0580). The mask is a function of (random key, step, micro-batch, stream, element), so
/// recomputation and the backward pass make it again instead of keeping it.
/// </summary>
public sealed class DropoutOp(double rate, int stream) : Op
{
    public override string Name => "dropout";

    /// <summary>Records nothing outside training or at rate 0.</summary>
    public static Tensor Record(Tape tape, Tensor x, double rate) => tape is { IsTraining: true, Drops: true } && rate > 0
        ? tape.Record(new DropoutOp(rate, tape.NextRandomStream()), [x], x.Layout)
        : x;

    public override bool BackwardReadsInput(int input) => false;

    public override void Forward(Backend backend, OpCall call) =>
        backend.Dropout(call.State, call.Input(0), call.Output(0), rate, stream);

    public override void Backward(Backend backend, OpCall call) =>
        backend.Dropout(call.State, call.OutputGradient(0), call.InputGradient(0), rate, stream, call.Accumulates(0));
}
