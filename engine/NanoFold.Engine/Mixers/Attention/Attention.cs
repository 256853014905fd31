using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>Causal softmax attention over the whole context; grouped-query where model.kvHeads is below model.heads.</summary>
public sealed record AttentionConfig : AttentionFamilyConfig
{
    public static AttentionConfig Tiny => new();

    /// <summary>A learned score for each head joins the softmax of every row and has no value, so that a head may attend to nothing (gpt-oss).</summary>
    public bool SinkLogits { get; init; }

    /// <inheritdoc/>
    protected override bool CanCapScores => true;

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new AttentionMixer(builder, ShapeFor(builder.Model), SinkLogits);
}
