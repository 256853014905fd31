using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>Causal softmax attention over the whole context; grouped-query where model.kvHeads is below model.heads.</summary>
public sealed record AttentionConfig : MixerConfig
{
    public static AttentionConfig Tiny => new();

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model) => FlopsOfKeys(model, model.Context);

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new AttentionMixer(builder);
}
