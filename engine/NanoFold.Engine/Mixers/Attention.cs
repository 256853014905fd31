using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>Causal softmax attention over the whole context; grouped-query where model.kvHeads is below model.heads.</summary>
public sealed record AttentionConfig : AttentionFamilyConfig
{
    public static AttentionConfig Tiny => new();

    /// <inheritdoc/>
    public override long Parameters(ModelShape model) => AttentionCost.Parameters(Shaped(model));

    /// <inheritdoc/>
    public override long FlopsPerToken(ModelShape model) => (long)AttentionCost.Flops(Shaped(model), model.Context);

    /// <inheritdoc/>
    public override double ExecutedFlopsPerToken(ModelShape model)
        => AttentionCost.Flops(Shaped(model), AttentionCost.MeanKeys(model.Context, model.Context));

    /// <inheritdoc/>
    public override long CacheBytes(ModelShape model) => AttentionCost.CacheBytes(Shaped(model), model.Context);

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new AttentionMixer(builder, ShapeFor(builder.Model));
}
