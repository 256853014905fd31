using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>Linear attention (arXiv 2006.16236): S ← S + φ(k) vᵀ, y = Sᵀ φ(q) / Σ φ(k)·φ(q), φ = elu + 1. Without positions, whatever the model's are.</summary>
public sealed record LinearAttentionConfig : RecurrentHeadsConfig
{
    public static LinearAttentionConfig Tiny => new();

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new LinearAttention(builder, ShapeFor(builder.Model));
}

/// <remarks>Values have one element more, 1, so that the sum of the weights comes along.</remarks>
internal sealed class LinearAttention(ModuleBuilder builder, HeadShape shape)
    : RecurrentHeadsMixer(builder, shape, new RecurrentHeadsParts(Convolution: null, HasNorm: false, HasGate: false), Recurrence(builder, shape))
{
    protected override Tensor Feature(ForwardContext context, Tensor x) => ActivationOp<EluPlusOne>.Record(context.Tape, x);

    protected override Tensor Recur(ForwardContext context, Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta) =>
        NormalizedOp.Record(context.Tape, base.Recur(context, q, k, WithOneOp.Record(context.Tape, v), decay, beta));

    // The factor is divided out again; it keeps sums over a whole context within 16 bits.
    private static HeadRecurrence Recurrence(ModuleBuilder builder, HeadShape shape) =>
        new(builder, shape.Heads, shape.HeadDim, shape.ValueDim + 1, 1 / (shape.HeadDim * Math.Sqrt(builder.Model.Context)));
}
