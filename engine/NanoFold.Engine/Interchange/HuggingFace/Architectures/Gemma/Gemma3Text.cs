using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Gemma 3's text model (arXiv 2503.19786): Gemma 2 without caps, with norms of queries and keys; layers with windows have rotary positions of a base of their own, never scaled.</summary>
public sealed record Gemma3Text : Architecture
{
    /// <inheritdoc/>
    public override string Name => "gemma3_text";

    /// <inheritdoc/>
    public override string ClassName => "Gemma3ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = GemmaKeys.WithScores(keys, GemmaKeys.Read(keys, context: 131072, theta: 1e6), scoreCap: 0, logitCap: 0) with { QkNorm = true };
        int window = keys.Integer("sliding_window", 4096), pattern = keys.Count("sliding_window_pattern", int.MaxValue, keys.Count("_sliding_window_pattern", int.MaxValue, 6));
        double local = keys.Number("rope_local_base_freq", 10000);
        AttentionFamilyConfig near = DecoderKeys.Windowed(model, window) with
        {
            RopeBase = local,
            RopeScaling = model.RopeScaling is NoRopeScalingConfig ? null : new NoRopeScalingConfig(),
        };
        return DecoderKeys.WithLayers(model, [.. DecoderKeys.Slides(keys, model.Layers, layer => (layer + 1) % pattern != 0)
            .Select(slides => new LayerConfig(slides ? near : new AttentionConfig(), model.FeedForward))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = GemmaKeys.Write(model);
        GemmaKeys.WriteScores(model, keys);
        AttentionFamilyConfig?[] mixers = [.. model.LayerConfigs().Select(layer => layer.Mixer as AttentionFamilyConfig)];
        keys["layer_types"] = DecoderKeys.LayerTypes(mixers.Select(mixer => mixer is SlidingWindowConfig or { RopeBase: > 0 }));
        keys["sliding_window"] = DecoderKeys.WindowOf(model) ?? model.Context;
        keys["rope_local_base_freq"] = mixers.FirstOrDefault(mixer => mixer?.RopeBase > 0)?.RopeBase ?? model.RopeBase;
        return keys;
    }
}
