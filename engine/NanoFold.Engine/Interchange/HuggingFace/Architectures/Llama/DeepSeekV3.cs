using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// DeepSeek-V3 and R1 (arXiv 2412.19437): latent attention, and after some dense layers experts chosen by sigmoids and a bias within groups of them, with shared experts. What predicts
/// tokens further on is not read.
/// </summary>
public sealed record DeepSeekV3 : Architecture
{
    // Of the norms of latents, whatever the other norms add.
    private const double LatentEpsilon = 1e-6;

    private static readonly (string Ours, string Theirs)[] s_names = [(".q_a_norm.", ".q_a_layernorm."), (".kv_a_norm.", ".kv_a_layernorm."), (".kv_a_proj.", ".kv_a_proj_with_mqa.")];

    /// <inheritdoc/>
    public override string Name => "deepseek_v3";

    /// <inheritdoc/>
    public override string ClassName => "DeepseekV3ForCausalLM";

    /// <inheritdoc/>
    public override NameGlobs LeftOut(ModelConfig model) => new(Name, [.. base.LeftOut(model).Globs, $"model.layers.{model.Layers}.*"]);

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        // Sizes that follow from others, layers that predict further tokens, and how training was done.
        keys.Leave("qk_head_dim", "head_dim", "num_nextn_predict_layers", "ep_size", "aux_loss_alpha", "seq_aux");
        keys.Require("scoring_func", node => node.ToString() == "sigmoid", "is not supported; expected sigmoid");
        keys.Require("topk_method", node => node.ToString() == "noaux_tc", "is not supported; expected noaux_tc");
        keys.Require("moe_layer_freq", node => ForeignConfig.NumberOf(node) == 1, "is not supported; expected 1");
        ModelConfig model = DecoderKeys.Read(keys, context: 4096);
        if (model.KvHeads != model.Heads)
        {
            throw keys.Fault("num_key_value_heads", $"is not supported; latents make all {model.Heads} heads");
        }

        LatentAttentionConfig mixer = Latents(keys, model.Heads);
        bool? bias = DecoderKeys.AttentionBias(keys);
        if (bias == true && mixer.QueryLatent == 0)
        {
            throw keys.Fault("attention_bias", "is not supported where q_lora_rank is null: queries would have none");
        }

        DenseConfig activation = DecoderKeys.Gated(keys);
        MoeConfig mixture = Mixture(keys, activation);
        int dense = keys.Integer("first_k_dense_replace", 3);
        model = model with
        {
            HeadDim = mixer.NopeDim + mixer.RopeDim, QkvBias = bias, OutputBias = bias, RopeInterleaved = keys.Flag("rope_interleave", true), ScoreScale = ScoreScale(model.RopeScaling, mixer),
        };
        return DecoderKeys.WithLayers(model, [.. Enumerable.Range(0, model.Layers).Select(layer => new LayerConfig(mixer, layer < dense ? activation with { Hidden = model.Hidden } : mixture))]);
    }

    /// <inheritdoc/>
    // What heads of other mixers have; sizes of latent attention are its own.
    protected override ModelConfig Meant(ModelConfig model) => model with { KvHeads = model.Heads, HeadDim = 1, QkNorm = false };

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) =>
        ExpertRules.Of(ours, (layer, expert, matrix) => $"{layer}.mlp.experts.{expert}.{matrix}.weight")
        ?? TensorRule.Same(ours, s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal)));

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        IReadOnlyList<LayerConfig> layers = model.LayerConfigs();
        LatentAttentionConfig mixer = layers.Select(layer => layer.Mixer).OfType<LatentAttentionConfig>().FirstOrDefault() ?? new LatentAttentionConfig { RopeDim = 2, NopeDim = 2, ValueDim = 2, Latent = 1 };
        MoeConfig mixture = ExpertRules.In(model);
        JsonObject keys = DecoderKeys.Write(model);
        keys["num_key_value_heads"] = model.Heads;
        keys["head_dim"] = mixer.RopeDim;
        keys["hidden_act"] = DecoderKeys.Activation(mixture);
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        keys["q_lora_rank"] = mixer.QueryLatent > 0 ? mixer.QueryLatent : null;
        keys["kv_lora_rank"] = mixer.Latent;
        keys["qk_nope_head_dim"] = mixer.NopeDim;
        keys["qk_rope_head_dim"] = mixer.RopeDim;
        keys["qk_head_dim"] = mixer.NopeDim + mixer.RopeDim;
        keys["v_head_dim"] = mixer.ValueDim;
        keys["rope_interleave"] = model.RopeInterleaved;
        keys["first_k_dense_replace"] = layers.TakeWhile(layer => layer.FeedForward is not MoeConfig).Count();
        keys["moe_intermediate_size"] = mixture.HiddenFor(model);
        keys["n_routed_experts"] = mixture.Experts;
        keys["n_shared_experts"] = mixture.Shared;
        keys["num_experts_per_tok"] = mixture.Active;
        keys["n_group"] = mixture.Groups;
        keys["topk_group"] = mixture.ActiveGroups > 0 ? mixture.ActiveGroups : mixture.Groups;
        keys["norm_topk_prob"] = mixture.Renormalize ?? mixture.Active > 1;
        keys["routed_scaling_factor"] = mixture.RouteScale;
        return keys;
    }

    private static LatentAttentionConfig Latents(ForeignConfig keys, int heads) => new()
    {
        Heads = heads,
        Latent = keys.Integer("kv_lora_rank", 512),
        QueryLatent = keys.Names.Contains("q_lora_rank") ? keys.Integer("q_lora_rank", 0) : 1536,
        LatentEpsilon = LatentEpsilon,
        RopeDim = keys.Integer("qk_rope_head_dim", 64),
        NopeDim = keys.Integer("qk_nope_head_dim", 128),
        ValueDim = keys.Integer("v_head_dim", 128),
    };

    private static MoeConfig Mixture(ForeignConfig keys, DenseConfig activation) => ExpertRules.Mixture(
        activation, keys.Integer("n_routed_experts", 256), keys.Integer("num_experts_per_tok", 8), keys.Integer("moe_intermediate_size", 2048), keys.Flag("norm_topk_prob", true)) with
    {
        Routing = RouterKind.Sigmoid,
        BiasRate = 0,
        Shared = keys.Integer("n_shared_experts", 1),
        Groups = keys.Count("n_group", 512, 8),
        ActiveGroups = keys.Count("topk_group", 512, 4),
        RouteScale = keys.Number("routed_scaling_factor", 2.5),
    };

    // Scores of stretched positions are made larger by the square of what YaRN's mscale_all_dim says; 0 where nothing does.
    private static double ScoreScale(RopeScalingConfig scaling, LatentAttentionConfig mixer)
    {
        double factor = scaling is YarnConfig { MscaleAllDim: > 0 } yarn ? (0.1 * yarn.MscaleAllDim * Math.Log(Math.Max(1, yarn.Factor))) + 1 : 1;
        return factor == 1 ? 0 : factor * factor / Math.Sqrt(mixer.NopeDim + mixer.RopeDim);
    }
}
