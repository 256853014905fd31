using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>SmolLM3: Llama with some layers that have no positions, of which <c>no_rope_layers</c> says 0.</summary>
public sealed record SmolLm3 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "smollm3";

    /// <inheritdoc/>
    public override string ClassName => "SmolLM3ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = DecoderKeys.Biases(keys, DecoderKeys.Read(keys, context: 32768, theta: 2e6, tied: true) with { FeedForward = DecoderKeys.Gated(keys) });
        int window = keys.Flag("use_sliding_window", false) ? keys.Integer("sliding_window") : 0, every = keys.Count("no_rope_layer_interval", int.MaxValue, 4);
        keys.Leave("sliding_window");
        double[] turned = keys.Numbers("no_rope_layers") ?? [.. Enumerable.Range(1, model.Layers).Select(layer => layer % every == 0 ? 0.0 : 1.0)];
        bool[] slides = DecoderKeys.Slides(keys, model.Layers, layer => window > 0 && turned[layer] == 0);
        if (turned.Length != model.Layers || turned.Any(turn => turn is not (0 or 1)))
        {
            throw keys.Fault("no_rope_layers", $"expected {model.Layers} of 0 and 1");
        }

        return DecoderKeys.WithLayers(model, [.. slides.Select((slide, layer) =>
            new LayerConfig(DecoderKeys.Windowed(model, slide ? window : 0) with { Rope = turned[layer] == 0 ? false : null }, model.FeedForward))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        DecoderKeys.WriteBiases(model, keys);
        keys["no_rope_layers"] = new JsonArray([.. model.LayerConfigs().Select(layer => (JsonNode)(layer.Mixer is AttentionFamilyConfig { Rope: false } ? 0 : 1))]);
        keys["layer_types"] = DecoderKeys.LayerTypes(model);
        keys["use_sliding_window"] = DecoderKeys.WindowOf(model) is not null;
        keys["sliding_window"] = DecoderKeys.WindowOf(model);
        return keys;
    }
}
