using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Attention that forgets (FoX, arXiv 2503.02130): the score of token t and a token s before it gets Σ log σ(f_l) over l = s + 1 … t more, with a gate
/// f = W_f x + b for each head. It tells by itself what is near, so that it is usually used without positions (model.position "none"). Decoding keeps the
/// running sums beside keys and values.
/// </summary>
public sealed record ForgettingConfig : AttentionFamilyConfig
{
    public static ForgettingConfig Tiny => new();

    /// <summary>What is forgotten lies before a token.</summary>
    public override MixerTraits Traits(ModelShape model) => base.Traits(model) with { FollowsVisibility = false };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Forgetting(builder, ShapeFor(builder.Model));
}

internal sealed class Forgetting : AttentionMixer
{
    /// <summary>σ(3): a token loses 5 % of its weight for each one after it, half of it in 14.</summary>
    private const double FirstBias = 3;

    private readonly Linear _forget;

    public Forgetting(ModuleBuilder builder, HeadShape shape)
        : base(builder, shape) => _forget = Builder.Linear(
            "f_proj", Model.Width, shape.Heads, Initialization.Gate, bias: true, ParameterRole.Head, new Initializer(InitializerKind.Constant, FirstBias));

    public override IReadOnlyList<TapPoint> TapPoints => [.. base.TapPoints, new("attn.hook_forget_pre", "B T H")];

    protected override bool HasScores => false;

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
    [
        .. base.State(batch, chunk),
        new StateSlot("sums", Layout.Of(batch, Shape.Heads, Capacity(chunk)), Builder.Type.Sum(), StateStart.Kept),
        new StateSlot("sum", Layout.Of(batch, Shape.Heads), Builder.Type.Sum(), StateStart.Zero),
    ];

    protected override ScoreTerms Terms(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor gate = Tap.At(tape, "hook_forget_pre", _forget.Forward(tape, x));
        return base.Terms(context, x) with
        {
            Decay = context.Cache is { } cache
                ? DecaySumsOp.Decode(tape, gate, cache.Use(tape, Builder.Layer, "sum"), context.Counts)
                : DecaySumsOp.Record(tape, gate, context.Continues()),
        };
    }

    protected override Tensor Cached(ForwardContext context, AttentionInput input, AttentionCache cache) =>
        base.Cached(context, input, cache with { Decay = context.Cache!.Use(context.Tape, Builder.Layer, "sums") });
}
