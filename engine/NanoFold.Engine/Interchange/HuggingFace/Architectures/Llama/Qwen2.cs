using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Qwen2 (arXiv 2407.10671): Llama with biases on queries, keys and values, and windows in later layers where asked.</summary>
public sealed record Qwen2 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "qwen2";

    /// <inheritdoc/>
    public override string ClassName => "Qwen2ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys) =>
        QwenWindows.Read(keys, DecoderKeys.Read(keys, context: 32768) with { FeedForward = DecoderKeys.Gated(keys), QkvBias = true });

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        QwenWindows.Write(model, keys);
        return keys;
    }
}
