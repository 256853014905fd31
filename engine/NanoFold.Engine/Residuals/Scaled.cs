using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Residuals;

/// <summary>
/// keep · x + gain · f(x), with factors for each kind of sub-block (MiniMax-01, arXiv 2501.08313): mixers that weigh tokens by a pattern, other mixers, and feed-forwards.
/// A feed-forward beside a mixer goes with the mixer.
/// </summary>
public sealed record ScaledConfig : ResidualConfig
{
    public static ScaledConfig Tiny => new() { AttentionKeep = 1.2, AttentionGain = 0.8, MixerKeep = 0.9, MixerGain = 0.7, FeedForwardKeep = 1.1, FeedForwardGain = 0.6 };

    /// <summary>The factor on the stream around mixers that weigh tokens by a pattern.</summary>
    [Bounds(0)]
    public double AttentionKeep { get; init; } = 1;

    /// <summary>The factor on what such mixers make.</summary>
    [Bounds(0)]
    public double AttentionGain { get; init; } = 1;

    /// <summary>The factor on the stream around other mixers.</summary>
    [Bounds(0)]
    public double MixerKeep { get; init; } = 1;

    /// <summary>The factor on what other mixers make.</summary>
    [Bounds(0)]
    public double MixerGain { get; init; } = 1;

    /// <summary>The factor on the stream around feed-forwards.</summary>
    [Bounds(0)]
    public double FeedForwardKeep { get; init; } = 1;

    /// <summary>The factor on what feed-forwards make.</summary>
    [Bounds(0)]
    public double FeedForwardGain { get; init; } = 1;

    /// <inheritdoc/>
    public override bool CarriesOneVector => true;

    /// <summary>Both factors of a kind of sub-block.</summary>
    public (double Keep, double Gain) Of(SubBlockKind kind) => kind switch
    {
        SubBlockKind.Attention => (AttentionKeep, AttentionGain),
        SubBlockKind.Mixer => (MixerKeep, MixerGain),
        _ => (FeedForwardKeep, FeedForwardGain),
    };

    /// <inheritdoc/>
    public override Residual Build(ModuleBuilder builder) => new Scaled(this);
}

internal sealed class Scaled(ScaledConfig config) : Add
{
    public override Connection Connect(ModuleBuilder builder, string name, SubBlockKind kind) => new ScaledSum(config.Of(kind));

    private sealed class ScaledSum((double Keep, double Gain) factors) : Connection
    {
        public override IReadOnlyList<Tensor> Around(ForwardContext context, IReadOnlyList<Tensor> stream, Func<Tensor, Tensor> subBlock)
        {
            Tensor made = subBlock(stream[0]);
            return [AddOp.Record(context.Tape, Times(context.Tape, stream[0], factors.Keep), Times(context.Tape, made, factors.Gain))];
        }

        private static Tensor Times(Tape tape, Tensor x, double factor) => factor == 1 ? x : ScaleOp.Record(tape, x, factor);
    }
}
