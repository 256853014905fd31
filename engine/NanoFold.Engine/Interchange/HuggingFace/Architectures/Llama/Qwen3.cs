using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Qwen3 (arXiv 2505.09388): Llama with RMSNorm on each head's queries and keys, and windows in later layers where asked.</summary>
public sealed record Qwen3 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "qwen3";

    /// <inheritdoc/>
    public override string ClassName => "Qwen3ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = DecoderKeys.Read(keys, context: 32768) with { FeedForward = DecoderKeys.Gated(keys), QkNorm = true, QkvBias = DecoderKeys.AttentionBias(keys), OutputBias = DecoderKeys.AttentionBias(keys) };
        return QwenWindows.Read(keys, model with { HeadDim = keys.Integer("head_dim", 128) });
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        QwenWindows.Write(model, keys);
        return keys;
    }
}

/// <summary>Windows of Qwen2 and Qwen3: only with <c>use_sliding_window</c>, and then in the layers from <c>max_window_layers</c> on.</summary>
internal static class QwenWindows
{
    /// <summary>The model with them.</summary>
    public static ModelConfig Read(ForeignConfig keys, ModelConfig model)
    {
        int window = keys.Flag("use_sliding_window", false) ? keys.Integer("sliding_window", 4096) : 0, first = keys.Integer("max_window_layers", 28);
        keys.Leave("sliding_window");
        bool[] slides = DecoderKeys.Slides(keys, model.Layers, layer => window > 0 && layer >= first);
        if (window == 0 && slides.Contains(true))
        {
            throw keys.Fault("layer_types", "has sliding layers where use_sliding_window is false");
        }

        return DecoderKeys.WithLayers(model, [.. slides.Select(slide => new LayerConfig(DecoderKeys.Windowed(model, slide ? window : 0), model.FeedForward))]);
    }

    /// <summary>Their keys.</summary>
    public static void Write(ModelConfig model, JsonObject keys)
    {
        int? window = DecoderKeys.WindowOf(model);
        keys["use_sliding_window"] = window is not null;
        keys["sliding_window"] = window;
        keys["layer_types"] = DecoderKeys.LayerTypes(model);
        // Of no effect beside layer_types; the library demands a number.
        keys["max_window_layers"] = model.Layers;
    }
}
