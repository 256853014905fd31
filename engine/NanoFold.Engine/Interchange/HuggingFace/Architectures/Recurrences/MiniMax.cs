using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// MiniMax (arXiv 2501.08313): layers of lightning attention and some of attention, each with the experts of Mixtral; norms stand on the stream itself, which joins what is
/// made of it with a factor for each kind of layer.
/// </summary>
public sealed record MiniMax : Architecture
{
    private const string LinearAttention = "linear_attention", FullAttention = "full_attention";

    /// <inheritdoc/>
    public override string Name => "minimax";

    /// <inheritdoc/>
    public override string ClassName => "MiniMaxForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        // How a pass is cut.
        keys.Leave("block_size");
        ModelConfig model = DecoderKeys.Read(keys, context: 4096 * 32, epsilon: 1e-5, theta: 1e6, kvHeads: 8);
        keys.Require("rotary_dim", node => ForeignConfig.NumberOf(node) == model.HeadDim, "positions that turn a part of each head are not supported in this architecture");
        MoeConfig mixture = ExpertRules.Mixture(DecoderKeys.OnlySilu(keys), keys.Integer("num_local_experts", 8), keys.Integer("num_experts_per_tok", 2), model.Hidden, renormalize: true);
        model = model with
        {
            FeedForward = mixture,
            NormPlace = NormPlaceKind.Stream,
            Residual = new ScaledConfig
            {
                AttentionKeep = keys.Number("full_attn_alpha_factor", 1),
                AttentionGain = keys.Number("full_attn_beta_factor", 1),
                MixerKeep = keys.Number("linear_attn_alpha_factor", 1),
                MixerGain = keys.Number("linear_attn_beta_factor", 1),
                FeedForwardKeep = keys.Number("mlp_alpha_factor", 1),
                FeedForwardGain = keys.Number("mlp_beta_factor", 1),
            },
        };
        AttentionFamilyConfig attention = DecoderKeys.Windowed(model, keys.Has("sliding_window") ? keys.Integer("sliding_window") : 0);
        // All heads have keys and values of their own.
        var lightning = new LightningAttentionConfig { KvHeads = model.Heads };
        return DecoderKeys.WithLayers(model, [.. Attends(keys, model.Layers).Select(attends => new LayerConfig(attends ? attention : lightning, mixture))]);
    }

    /// <inheritdoc/>
    public override NameGlobs LeftOut(ModelConfig model) =>
        new(Name, [.. base.LeftOut(model).Globs, "*.self_attn.slope_rate", "*.self_attn.query_decay", "*.self_attn.key_decay", "*.self_attn.diagonal_decay"]);

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        if (ExpertRules.OfMixtral(ours) is { } rule)
        {
            return rule;
        }

        if (ours.Name.Split('.') is not ["model", "layers", _, "self_attn", { } module, ..]
            || model.LayerConfigs()[DecoderKeys.LayerOf(ours.Name)].Mixer is not LightningAttentionConfig lightning)
        {
            return TensorRule.Same(ours, ours.Name);
        }

        int part = Array.IndexOf(["q_proj", "k_proj", "v_proj"], module), width = lightning.ShapeFor(model).HeadDim;
        if (part < 0)
        {
            return TensorRule.Same(ours, ours.Name.Replace(".g_proj.", ".output_gate.", StringComparison.Ordinal).Replace(".o_proj.", ".out_proj.", StringComparison.Ordinal));
        }

        // Each head has its query rows, then its key rows, then its value rows.
        RowRun[] runs = [.. Enumerable.Range(0, model.Heads).Select(head => new RowRun(((3L * head) + part) * width, width))];
        return TensorRule.Rows(ours, ours.Name.Replace(module, "qkv_proj", StringComparison.Ordinal), 3L * model.Heads * width, runs);
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        MoeConfig mixture = ExpertRules.In(model);
        ScaledConfig residual = model.Residual as ScaledConfig ?? new ScaledConfig();
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(mixture);
        keys["intermediate_size"] = mixture.HiddenFor(model);
        keys["num_local_experts"] = mixture.Experts;
        keys["num_experts_per_tok"] = mixture.Active;
        keys["sliding_window"] = DecoderKeys.WindowOf(model);
        keys["layer_types"] = new JsonArray([.. model.LayerConfigs().Select(layer => (JsonNode)(layer.Mixer is LightningAttentionConfig ? LinearAttention : FullAttention))]);
        keys["full_attn_alpha_factor"] = residual.AttentionKeep;
        keys["full_attn_beta_factor"] = residual.AttentionGain;
        keys["linear_attn_alpha_factor"] = residual.MixerKeep;
        keys["linear_attn_beta_factor"] = residual.MixerGain;
        keys["mlp_alpha_factor"] = residual.FeedForwardKeep;
        keys["mlp_beta_factor"] = residual.FeedForwardGain;
        return keys;
    }

    private static IEnumerable<bool> Attends(ForeignConfig keys, int layers)
    {
        if (keys.Texts("layer_types") is not { } types)
        {
            return Enumerable.Range(0, layers).Select(layer => layer % 2 == 0);
        }

        return types.Length == layers && Array.TrueForAll(types, type => type is LinearAttention or FullAttention)
            ? types.Select(type => type == FullAttention)
            : throw keys.Fault("layer_types", $"expected {layers} of {LinearAttention} and {FullAttention}");
    }
}
