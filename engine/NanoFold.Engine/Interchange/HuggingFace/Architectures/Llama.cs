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
    public override ModelConfig Read(ForeignConfig keys)
    {
        bool attention = keys.Flag("attention_bias", false), feedForward = keys.Flag("mlp_bias", false);
        if (attention != feedForward)
        {
            throw keys.Fault(attention ? "attention_bias" : "mlp_bias", "biases in one of attention and feed-forward only are not supported");
        }

        return DecoderKeys.Read(keys) with { FeedForward = DecoderKeys.Gated(keys), Bias = attention };
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["attention_bias"] = model.Bias;
        keys["mlp_bias"] = model.Bias;
        return keys;
    }
}
