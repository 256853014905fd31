using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Lightning attention (MiniMax-01, arXiv 2501.08313): q, k, v = silu(W x), S ← e^(−s) S + k vᵀ, y = Sᵀ q, with a rate for each head h and layer l of L,
/// s = 2^(−8 (h + 1) / H) (1 − l / (L − 1)), and what all heads give together is normed and gated, RMSNorm(y) ⊙ σ(W_g x). Without positions, whatever the model's are.
/// </summary>
public sealed record LightningAttentionConfig : RecurrentHeadsConfig
{
    public static LightningAttentionConfig Tiny => new();

    /// <summary>What its norm adds to the mean square, whatever the model's norms do.</summary>
    [Bounds(0, 1)]
    public double NormEpsilon { get; init; } = 1e-6;

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new LightningAttention(builder, this, ShapeFor(builder.Model));
}

internal sealed class LightningAttention : RecurrentHeadsMixer
{
    private readonly Parameter _gain;
    private readonly Linear _gate;
    private readonly Table _decay;
    private readonly double _epsilon;

    public LightningAttention(ModuleBuilder builder, LightningAttentionConfig config, HeadShape shape)
        : base(
            builder, shape, new RecurrentHeadsParts(Convolution: 0, HasNorm: false, HasGate: false),
            new HeadRecurrence(builder, shape.Heads, shape.HeadDim, shape.ValueDim, scale: 1))
    {
        (int heads, int layer, int layers) = (shape.Heads, Builder.Layer, Model.Layers);
        _epsilon = config.NormEpsilon;
        _gain = Builder.Add("norm.weight", Layout.Of(shape.OutputWidth), ParameterRole.Vector, Initialization.Gain(Model.NormGainFromOne));
        _gate = Builder.Linear("g_proj", Model.Width, shape.OutputWidth, Initialization.Input(Model.Width));
        _decay = Builder.Table($"lightning {heads} in {layer} of {layers}", Layout.Of(heads), () => [.. Enumerable.Range(0, heads).Select(h => -Rate(h, heads, layer, layers))]);
    }

    protected override IReadOnlyList<TapPoint> OwnPoints => [TapPoint.Gate<Sigmoid>("attn.hook_gate_pre", $"B T {Shape.OutputWidth}")];

    protected override Tensor Decay(Tape tape, Tensor x) => tape.Use(_decay);

    protected override Tensor Ended(Tape tape, Tensor x, Tensor y)
    {
        Tensor normed = RmsNormOp.Record(tape, y.Reshape(x[0], x[1], Shape.OutputWidth), tape.Use(_gain), _epsilon, Model.NormGainFromOne);
        Tensor gate = Tap.At(tape, "hook_gate_pre", _gate.Forward(tape, x));
        return GatedActivationOp<Sigmoid>.Record(tape, gate, normed).SplitLast(Shape.Heads);
    }

    // With the two small terms of the published code, by which the last layer's states fade too.
    private static double Rate(int head, int heads, int layer, int layers) =>
        PortableMath.Pow(2, -8.0 * (head + 1) / heads) * (1 - (layer / (layers - 1 + 1e-5)) + 1e-5);
}
