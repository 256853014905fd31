using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Mixtral (arXiv 2401.04088): Mistral with experts w2(silu(w1 x) ⊙ w3 x), the weights of the chosen ones always made to add up to 1.</summary>
public sealed record Mixtral : Architecture
{
    /// <inheritdoc/>
    public override string Name => "mixtral";

    /// <inheritdoc/>
    public override string ClassName => "MixtralForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = DecoderKeys.Read(keys, context: 4096 * 32, epsilon: 1e-5, theta: 1e6);
        MoeConfig mixture = ExpertRules.Mixture(DecoderKeys.Gated(keys), keys.Integer("num_local_experts", 8), keys.Integer("num_experts_per_tok", 2), model.Hidden, renormalize: true);
        return DecoderKeys.WithWindow(keys, model with { FeedForward = mixture });
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => ExpertRules.OfMixtral(ours) ?? TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        MoeConfig mixture = ExpertRules.In(model);
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(mixture);
        keys["intermediate_size"] = mixture.HiddenFor(model);
        keys["num_local_experts"] = mixture.Experts;
        keys["num_experts_per_tok"] = mixture.Active;
        keys["sliding_window"] = DecoderKeys.WindowOf(model);
        return keys;
    }
}
