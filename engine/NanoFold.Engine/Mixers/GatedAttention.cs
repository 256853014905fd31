using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Mixers;

/// <summary>Attention with a gate: Y' = Y ⊙ σ(X W_θ), X the normed input of the layer (arXiv 2505.06708). W_θ has no bias.</summary>
public sealed record GatedAttentionConfig : MixerConfig
{
    public static GatedAttentionConfig Tiny => new();

    /// <summary>What Y is.</summary>
    public GatePosition Gate { get; init; } = GatePosition.AttentionOutput;

    public GateGranularity Granularity { get; init; } = GateGranularity.Elementwise;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        if (Gate == GatePosition.Output && Granularity == GateGranularity.Headwise)
        {
            yield return new ConfigProblem($"{path}.granularity", "cannot be \"headwise\" with gate \"G5\": the output of W_o has no heads");
        }
    }

    /// <summary>Gates per token, the output width of W_θ.</summary>
    public int Gates(ModelConfig model)
    {
        int perHead = Granularity == GateGranularity.Headwise ? 1 : model.HeadDim;
        return Gate switch
        {
            GatePosition.AttentionOutput or GatePosition.Queries => model.Heads * perHead,
            GatePosition.Values or GatePosition.Keys => model.KvHeads * perHead,
            _ => model.Width,
        };
    }

    /// <inheritdoc/>
    public override long Parameters(ModelConfig model) => AttentionCost.Parameters(model) + GateWeights(model);

    /// <inheritdoc/>
    public override long FlopsPerToken(ModelConfig model) => (6 * GateWeights(model)) + (long)AttentionCost.Flops(model, model.Context);

    /// <inheritdoc/>
    public override double ExecutedFlopsPerToken(ModelConfig model)
        => (6 * GateWeights(model)) + AttentionCost.Flops(model, AttentionCost.MeanKeys(model.Context, model.Context));

    /// <inheritdoc/>
    public override long CacheBytes(ModelConfig model) => AttentionCost.CacheBytes(model, model.Context);

    private long GateWeights(ModelConfig model) => (long)model.Width * Gates(model);
}
