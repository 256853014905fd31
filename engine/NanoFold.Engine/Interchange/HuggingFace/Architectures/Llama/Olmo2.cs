using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>OLMo 2 (arXiv 2501.00656): Llama with norms after attention and feed-forward only, and norms over all queries and all keys.</summary>
public sealed record Olmo2 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "olmo2";

    /// <inheritdoc/>
    public override string ClassName => "Olmo2ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys) => OlmoKeys.Read(keys);

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model) => OlmoKeys.Write(model);
}

/// <summary>OLMo 3: OLMo 2 with windows in three of four layers, whose rotary positions are never scaled.</summary>
public sealed record Olmo3 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "olmo3";

    /// <inheritdoc/>
    public override string ClassName => "Olmo3ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = OlmoKeys.Read(keys);
        AttentionFamilyConfig near = DecoderKeys.Windowed(model, keys.Integer("sliding_window", 4096)) with { RopeScaling = model.RopeScaling is NoRopeScalingConfig ? null : new NoRopeScalingConfig() };
        return DecoderKeys.WithLayers(model, [.. DecoderKeys.Slides(keys, model.Layers, layer => (layer + 1) % 4 != 0).Select(slides => new LayerConfig(slides ? near : new AttentionConfig(), model.FeedForward))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = OlmoKeys.Write(model);
        keys["layer_types"] = DecoderKeys.LayerTypes(model.LayerConfigs().Select(layer => layer.Mixer is SlidingWindowConfig or AttentionFamilyConfig { RopeScaling: not null }));
        keys["sliding_window"] = DecoderKeys.WindowOf(model) ?? model.Context;
        return keys;
    }
}

/// <summary>What OLMo 2 and 3 have.</summary>
internal static class OlmoKeys
{
    /// <summary>The model without windows.</summary>
    public static ModelConfig Read(ForeignConfig keys)
    {
        bool? bias = DecoderKeys.AttentionBias(keys);
        return DecoderKeys.Read(keys, epsilon: 1e-5) with
        {
            FeedForward = DecoderKeys.Gated(keys),
            NormPlace = NormPlaceKind.Post,
            QkNorm = true,
            QkNormOver = QkNormSpan.Width,
            QkvBias = bias,
            OutputBias = bias,
        };
    }

    /// <summary>Its keys.</summary>
    public static JsonObject Write(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys.Remove("head_dim");
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        return keys;
    }
}
