using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Llama 2 and 3, SmolLM and many others (arXiv 2302.13971): our names are its own.</summary>
public record Llama : Architecture
{
    /// <inheritdoc/>
    public override string Name => "llama";

    /// <inheritdoc/>
    public override string ClassName => "LlamaForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys) => DecoderKeys.Biases(keys, DecoderKeys.Read(keys) with { FeedForward = DecoderKeys.Gated(keys) });

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        DecoderKeys.WriteBiases(model, keys);
        return keys;
    }
}
