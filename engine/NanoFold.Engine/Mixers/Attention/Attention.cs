using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>Causal softmax attention over the whole context; grouped-query where model.kvHeads is below model.heads.</summary>
public sealed record AttentionConfig : AttentionFamilyConfig
{
    public static AttentionConfig Tiny => new();

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new AttentionMixer(builder, ShapeFor(builder.Model));
}
