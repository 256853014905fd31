using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Qwen3-MoE (arXiv 2505.09388): Qwen3 with experts in all or some layers.</summary>
public sealed record Qwen3Moe : Architecture
{
    /// <inheritdoc/>
    public override string Name => "qwen3_moe";

    /// <inheritdoc/>
    public override string ClassName => "Qwen3MoeForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        DenseConfig activation = DecoderKeys.Gated(keys);
        ModelConfig model = DecoderKeys.Read(keys, context: 32768) with { FeedForward = activation, QkNorm = true, QkvBias = DecoderKeys.AttentionBias(keys), OutputBias = DecoderKeys.AttentionBias(keys) };
        model = DecoderKeys.WithWindow(keys, model);
        if (!keys.Flag("use_sliding_window", false))
        {
            model = model with { Mixer = DecoderKeys.Windowed(model, 0) };
        }

        int step = keys.Integer("decoder_sparse_step", 1);
        HashSet<double> dense = [.. keys.Numbers("mlp_only_layers") ?? []];
        MoeConfig mixture = ExpertRules.Mixture(activation, keys.Integer("num_experts", 128), keys.Integer("num_experts_per_tok", 8), keys.Integer("moe_intermediate_size", 768), keys.Flag("norm_topk_prob", false));
        return DecoderKeys.WithLayers(model, [.. Enumerable.Range(0, model.Layers).Select(layer =>
            new LayerConfig(model.Mixer, mixture.Experts > 0 && step > 0 && (layer + 1) % step == 0 && !dense.Contains(layer) ? mixture : activation with { Hidden = model.Hidden }))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) =>
        ExpertRules.Of(ours, (layer, expert, matrix) => $"{layer}.mlp.experts.{expert}.{matrix}.weight") ?? TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        MoeConfig mixture = ExpertRules.In(model);
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(mixture);
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        keys["num_experts"] = mixture.Experts;
        keys["num_experts_per_tok"] = mixture.Active;
        keys["moe_intermediate_size"] = mixture.HiddenFor(model);
        keys["norm_topk_prob"] = mixture.Renormalize ?? mixture.Active > 1;
        keys["decoder_sparse_step"] = 1;
        keys["mlp_only_layers"] = new JsonArray([.. model.LayerConfigs().Index().Where(layer => layer.Item.FeedForward is not MoeConfig).Select(layer => (JsonNode)layer.Index)]);
        keys["use_sliding_window"] = DecoderKeys.WindowOf(model) is not null;
        keys["sliding_window"] = DecoderKeys.WindowOf(model);
        return keys;
    }
}
