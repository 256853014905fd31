using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Mistral (arXiv 2310.06825): Llama with a window over the last keys in every layer.</summary>
public sealed record Mistral : Architecture
{
    // What the library takes where the key is not there; null says that there is none.
    private const int UsualWindow = 4096;

    /// <inheritdoc/>
    public override string Name => "mistral";

    /// <inheritdoc/>
    public override string ClassName => "MistralForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys) =>
        DecoderKeys.WithWindow(keys, DecoderKeys.Read(keys, context: 4096 * 32) with { FeedForward = DecoderKeys.Gated(keys) }, keys.Names.Contains("sliding_window") ? null : UsualWindow);

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["sliding_window"] = DecoderKeys.WindowOf(model);
        return keys;
    }
}
