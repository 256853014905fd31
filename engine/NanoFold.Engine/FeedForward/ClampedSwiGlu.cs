using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.FeedForward;

/// <summary>W_down · ((u + 1) ⊙ g · σ(1.702 g)), g = min(W_gate x, 7), u = min(max(W_up x, −7), 7) (gpt-oss).</summary>
public sealed record ClampedSwiGluConfig : DenseConfig
{
    public static ClampedSwiGluConfig Tiny => new() { Hidden = 24 };

    /// <inheritdoc/>
    public override bool IsGated => true;

    /// <inheritdoc/>
    public override GateFormula? Gate => ClampedGluOp.Formula;

    /// <inheritdoc/>
    public override Tensor Activate(Tape tape, Tensor pre, Tensor linear) => ClampedGluOp.Record(tape, pre, linear);
}
