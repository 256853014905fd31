using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Jamba (arXiv 2403.19887): layers of Mamba with norms within, attention in every few, experts in every few, and no positions.</summary>
public sealed record Jamba : Architecture
{
    private static readonly (string Ours, string Theirs)[] s_names =
    [
        (".mlp.gate.", ".feed_forward.router."), (".dt_norm.", ".dt_layernorm."), (".b_norm.", ".b_layernorm."), (".c_norm.", ".c_layernorm."),
    ];

    /// <inheritdoc/>
    public override string Name => "jamba";

    /// <inheritdoc/>
    public override string ClassName => "JambaForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        keys.Leave("use_mamba_kernels", "num_logits_to_keep");
        DenseConfig activation = DecoderKeys.OnlySilu(keys);
        ModelConfig model = DecoderKeys.WithoutRope(DecoderKeys.Read(keys, context: 262144, kvHeads: 8)) with { Position = PositionKind.None };
        int rank = (model.Width + 15) / 16;
        MambaConfig mamba = new()
        {
            State = keys.Integer("mamba_d_state", 16),
            Conv = keys.Integer("mamba_d_conv", 4),
            Expand = keys.Integer("mamba_expand", 2),
            DtRank = keys.Says("mamba_dt_rank", "auto") ? rank : keys.Integer("mamba_dt_rank", rank),
            Bias = keys.Flag("mamba_proj_bias", false),
            ConvBias = keys.Flag("mamba_conv_bias", true),
            InnerNorm = true,
        };
        int experts = keys.Integer("num_experts", 16);
        MoeConfig mixture = ExpertRules.Mixture(activation, experts, keys.Integer("num_experts_per_tok", 2), model.Hidden, renormalize: false);
        (int attends, int first) = (keys.Count("attn_layer_period", int.MaxValue, 8), keys.Integer("attn_layer_offset", 4));
        (int chooses, int firstChosen) = (keys.Count("expert_layer_period", int.MaxValue, 2), keys.Integer("expert_layer_offset", 1));
        return DecoderKeys.WithLayers(model, [.. Enumerable.Range(0, model.Layers).Select(layer => new LayerConfig(
            layer % attends == first ? new AttentionConfig() : mamba,
            experts > 1 && layer % chooses == firstChosen ? mixture : activation with { Hidden = model.Hidden }))]);
    }

    /// <inheritdoc/>
    protected override ModelConfig Meant(ModelConfig model) => DecoderKeys.WithoutBias(model.Position == PositionKind.Rope ? model : DecoderKeys.WithoutRope(model));

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string Named(string name) => HybridRules.Named(s_names.Aggregate(name, (made, pair) => made.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal)));
        if (ExpertRules.Of(ours, (layer, expert, matrix) => $"{layer}.feed_forward.experts.{expert}.{matrix}.weight") is { } stack)
        {
            return stack;
        }

        return DecoderKeys.LayerOf(ours.Name) is >= 0 and var layer && model.LayerConfigs()[layer].Mixer is MambaConfig
            ? HybridRules.OfStates(ours, Named(ours.Name.Replace(".self_attn.", ".mamba.", StringComparison.Ordinal)))
            : TensorRule.Same(ours, Named(ours.Name));
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        IReadOnlyList<LayerConfig> layers = model.LayerConfigs();
        MambaConfig mamba = layers.Select(layer => layer.Mixer).OfType<MambaConfig>().FirstOrDefault() ?? new MambaConfig { DtRank = 1 };
        MoeConfig? mixture = layers.Select(layer => layer.FeedForward).OfType<MoeConfig>().FirstOrDefault();
        JsonObject keys = DecoderKeys.Write(model);
        keys.Remove("head_dim");
        keys.Remove("rope_theta");
        keys["hidden_act"] = DecoderKeys.Activation(layers[0].FeedForward);
        // With the library's own default it computes on GPUs alone.
        keys["use_mamba_kernels"] = false;
        keys["mamba_d_state"] = mamba.State;
        keys["mamba_d_conv"] = mamba.Conv;
        keys["mamba_expand"] = mamba.Expand;
        keys["mamba_dt_rank"] = mamba.DtRank;
        keys["mamba_proj_bias"] = mamba.Bias;
        keys["mamba_conv_bias"] = mamba.ConvBias;
        keys["num_experts"] = mixture?.Experts ?? 1;
        keys["num_experts_per_tok"] = mixture?.Active ?? 1;
        (keys["attn_layer_period"], keys["attn_layer_offset"]) = HybridRules.Period([.. layers.Select(layer => layer.Mixer is AttentionConfig)]);
        (keys["expert_layer_period"], keys["expert_layer_offset"]) = HybridRules.Period([.. layers.Select(layer => layer.FeedForward is MoeConfig)]);
        return keys;
    }
}
