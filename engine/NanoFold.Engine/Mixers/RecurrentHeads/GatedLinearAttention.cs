using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Gated linear attention (arXiv 2312.06635): S ← α ⊙ S + k vᵀ with a decay for each element of the key, α = σ(W₂ W₁ x + b)^(1/τ), RMSNorm of each head, times
/// silu(W_g x).
/// </summary>
public sealed record GatedLinearAttentionConfig : RecurrentHeadsConfig
{
    public static GatedLinearAttentionConfig Tiny => new() { GateRank = 3 };

    /// <summary>Width between the two matrices that make the decays.</summary>
    [Bounds(1, 4096)]
    public int GateRank { get; init; } = 16;

    /// <summary>τ: the larger, the slower states fade.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double GateNormalizer { get; init; } = 16;

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new GatedLinearAttention(builder, this);
}

internal sealed class GatedLinearAttention : RecurrentHeadsMixer
{
    private readonly Linear _down;
    private readonly Linear _up;
    private readonly double _share;

    public GatedLinearAttention(ModuleBuilder builder, GatedLinearAttentionConfig config)
        : base(builder, config.ShapeFor(builder.Model), new RecurrentHeadsParts(Convolution: null, HasNorm: true, HasGate: true))
    {
        int width = Model.Width, rank = config.GateRank;
        _down = Builder.Linear("gk_proj.0", width, rank, Initialization.Input(width), growth: GrowthKind.Output);
        _up = Builder.Linear("gk_proj.1", rank, Shape.QueryWidth, Initialization.Input(rank), bias: true, growth: GrowthKind.Input);
        _share = 1 / config.GateNormalizer;
    }

    protected override IReadOnlyList<TapPoint> OwnPoints => [new("attn.hook_decay", "B T H D")];

    protected override Tensor Decay(Tape tape, Tensor x)
    {
        Tensor gate = ActivationOp<LogSigmoid>.Record(tape, _up.Forward(tape, _down.Forward(tape, x)));
        return Tap.At(tape, "hook_decay", ScaleOp.Record(tape, gate, _share).SplitLast(Shape.Heads));
    }
}
