using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Gemma 2 (arXiv 2408.00118): norms before and after each sub-block, windows in every other layer, scores and logits that level off.</summary>
public sealed record Gemma2 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "gemma2";

    /// <inheritdoc/>
    public override string ClassName => "Gemma2ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = GemmaKeys.WithScores(keys, GemmaKeys.Read(keys, context: 8192), scoreCap: 50, logitCap: 30);
        int window = keys.Integer("sliding_window", 4096);
        return DecoderKeys.WithLayers(model, [.. DecoderKeys.Slides(keys, model.Layers, layer => layer % 2 == 0)
            .Select(slides => new LayerConfig(DecoderKeys.Windowed(model, slides ? window : 0), model.FeedForward))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = GemmaKeys.Write(model);
        GemmaKeys.WriteScores(model, keys);
        keys["sliding_window"] = DecoderKeys.WindowOf(model) ?? model.Context;
        keys["layer_types"] = DecoderKeys.LayerTypes(model);
        return keys;
    }
}
