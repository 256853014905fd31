using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// Qwen3-Next: gated delta nets, in every fourth layer gated attention whose heads are turned in part, gains from one, experts with a gated shared one. Their projections lie
/// joined, head by head.
/// </summary>
public sealed record Qwen3Next : Architecture
{
    private const string Full = "full_attention", Linear = "linear_attention";

    private static readonly (string Ours, string Theirs)[] s_names = [(".mlp.shared_experts.", ".mlp.shared_expert."), (".mlp.shared_gate.", ".mlp.shared_expert_gate.")];

    /// <inheritdoc/>
    public override string Name => "qwen3_next";

    /// <inheritdoc/>
    public override string ClassName => "Qwen3NextForCausalLM";

    /// <inheritdoc/>
    // What predicts further tokens.
    public override NameGlobs LeftOut(ModelConfig model) => new(Name, [.. base.LeftOut(model).Globs, "mtp.*"]);

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        DenseConfig activation = DecoderKeys.OnlySilu(keys);
        ModelConfig model = DecoderKeys.Read(keys, context: 32768, kvHeads: 2) with { FeedForward = activation, HeadDim = keys.Integer("head_dim", 256), QkNorm = true, NormGainFromOne = true };
        keys.Require("attention_bias", _ => false, "is not supported: gates would have none");
        GatedAttentionConfig attention = new() { RopeDim = DecoderKeys.RopeDim(keys, "partial_rotary_factor", model.HeadDim, 0.25) };
        GatedDeltaNetConfig delta = Delta(keys);
        int step = keys.Integer("decoder_sparse_step", 1), shared = keys.Count("shared_expert_intermediate_size", 1 << 18, 512);
        HashSet<double> dense = [.. keys.Numbers("mlp_only_layers") ?? []];
        MoeConfig mixture = ExpertRules.Mixture(
            activation, keys.Integer("num_experts", 512), keys.Integer("num_experts_per_tok", 10), keys.Integer("moe_intermediate_size", 512), keys.Flag("norm_topk_prob", true)) with
        {
            Shared = 1, SharedHidden = shared, SharedGate = true,
        };
        return DecoderKeys.WithLayers(model, [.. Attends(keys, model.Layers).Select((attends, layer) => new LayerConfig(
            attends ? attention : delta,
            mixture.Experts > 0 && step > 0 && (layer + 1) % step == 0 && !dense.Contains(layer) ? mixture : activation with { Hidden = model.Hidden }))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        if (ExpertRules.Of(ours, (layer, expert, matrix) => $"{layer}.mlp.experts.{expert}.{matrix}.weight") is { } stack)
        {
            return stack;
        }

        if (ours.Name.Split('.') is ["model", "layers", { } number, "self_attn", { } part, ..])
        {
            string before = $"model.layers.{number}.";
            return model.LayerConfigs()[DecoderKeys.LayerOf(ours.Name)].Mixer switch
            {
                GatedDeltaNetConfig delta => OfDelta(ours, $"{before}linear_attn.", part, delta.HeadsFor(model), delta.ShapeFor(model)),
                _ when part is "q_proj" or "gate_proj" => TensorRule.Rows(
                    ours, $"{before}self_attn.q_proj.weight", 2L * ours.Shape[0], EveryHead(model.Heads, model.HeadDim, 2 * model.HeadDim, part == "q_proj" ? 0 : model.HeadDim)),
                _ => TensorRule.Same(ours, ours.Name),
            };
        }

        return TensorRule.Same(ours, s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal)));
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        IReadOnlyList<LayerConfig> layers = model.LayerConfigs();
        GatedDeltaNetConfig delta = layers.Select(layer => layer.Mixer).OfType<GatedDeltaNetConfig>().FirstOrDefault() ?? new GatedDeltaNetConfig { KeyHeads = 1 };
        GatedAttentionConfig attention = layers.Select(layer => layer.Mixer).OfType<GatedAttentionConfig>().FirstOrDefault() ?? new GatedAttentionConfig();
        MoeConfig mixture = ExpertRules.In(model);
        HeadShape shape = delta.ShapeFor(model);
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(layers[0].FeedForward);
        keys["partial_rotary_factor"] = attention.RopeDim > 0 ? (double)attention.RopeDim / model.HeadDim : 1;
        keys["layer_types"] = new JsonArray([.. layers.Select(layer => (JsonNode)(layer.Mixer is GatedDeltaNetConfig ? Linear : Full))]);
        keys["linear_conv_kernel_dim"] = delta.Conv;
        keys["linear_num_key_heads"] = delta.HeadsFor(model).Key;
        keys["linear_num_value_heads"] = shape.Heads;
        keys["linear_key_head_dim"] = shape.HeadDim;
        keys["linear_value_head_dim"] = shape.ValueDim;
        keys["num_experts"] = mixture.Experts;
        keys["num_experts_per_tok"] = mixture.Active;
        keys["moe_intermediate_size"] = mixture.HiddenFor(model);
        keys["shared_expert_intermediate_size"] = mixture.SharedHidden;
        keys["norm_topk_prob"] = mixture.Renormalize ?? mixture.Active > 1;
        keys["decoder_sparse_step"] = 1;
        keys["mlp_only_layers"] = new JsonArray([.. layers.Index().Where(layer => layer.Item.FeedForward is not MoeConfig).Select(layer => (JsonNode)layer.Index)]);
        return keys;
    }

    private static GatedDeltaNetConfig Delta(ForeignConfig keys)
    {
        int heads = keys.Count("linear_num_value_heads", 4096, 32), keyHeads = keys.Count("linear_num_key_heads", 4096, 16);
        return new GatedDeltaNetConfig
        {
            Heads = heads,
            KeyHeads = heads % keyHeads == 0 ? keyHeads : throw keys.Fault("linear_num_key_heads", $"does not divide linear_num_value_heads = {heads}"),
            HeadDim = keys.Count("linear_key_head_dim", 4096, 128),
            ValueDim = keys.Count("linear_value_head_dim", 4096, 128),
            Conv = keys.Count("linear_conv_kernel_dim", 1024, 4),
            // The norm of its heads has a plain gain, and its queries and keys have none.
            NormGainFromOne = false,
            QkNorm = false,
        };
    }

    private static bool[] Attends(ForeignConfig keys, int layers)
    {
        int every = keys.Count("full_attention_interval", int.MaxValue, 4);
        string[] types = keys.Texts("layer_types") ?? [.. Enumerable.Range(1, layers).Select(layer => layer % every == 0 ? Full : Linear)];
        return types.Length == layers && Array.TrueForAll(types, type => type is Full or Linear)
            ? [.. types.Select(type => type == Full)]
            : throw keys.Fault("layer_types", $"expected {layers} of {Full} and {Linear}");
    }

    // Of each key head the rows of queries and keys, then those of the values and gates of its value heads; filters of all queries, all keys, all values.
    private static TensorRule OfDelta(WeightInfo ours, string before, string part, (int Query, int Key, int Value) heads, HeadShape shape)
    {
        (int keyHeads, int key, int each) = (heads.Key, shape.HeadDim, heads.Value / heads.Key);
        (int value, int all, long filters) = (each * shape.ValueDim, 2 * (shape.HeadDim + (each * shape.ValueDim)), (2L * heads.Key * shape.HeadDim) + (heads.Value * shape.ValueDim));
        TensorRule Joined(string name, int rows, int width, int start) => TensorRule.Rows(ours, $"{before}{name}", (long)keyHeads * width, EveryHead(keyHeads, rows, width, start));
        TensorRule Filter(long start) => TensorRule.Rows(ours, $"{before}conv1d.weight", [filters, 1, ours.Shape[1]], new RowRun(start, ours.Shape[0]));
        return part switch
        {
            "q_proj" => Joined("in_proj_qkvz.weight", key, all, 0),
            "k_proj" => Joined("in_proj_qkvz.weight", key, all, key),
            "v_proj" => Joined("in_proj_qkvz.weight", value, all, 2 * key),
            "g_proj" => Joined("in_proj_qkvz.weight", value, all, (2 * key) + value),
            "b_proj" => Joined("in_proj_ba.weight", each, 2 * each, 0),
            "a_proj" => Joined("in_proj_ba.weight", each, 2 * each, each),
            "q_conv1d" => Filter(0),
            "k_conv1d" => Filter(keyHeads * key),
            "v_conv1d" => Filter(2L * keyHeads * key),
            "o_proj" => TensorRule.Same(ours, $"{before}out_proj.weight"),
            "o_norm" => TensorRule.Same(ours, $"{before}norm.weight"),
            _ => TensorRule.Same(ours, $"{before}{part}"),
        };
    }

    // Some rows of each head.
    private static RowRun[] EveryHead(int heads, int rows, int width, int start) => [.. Enumerable.Range(0, heads).Select(head => new RowRun(((long)head * width) + start, rows))];
}
