using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>LFM2 (arXiv 2511.23404): layers of short convolutions between two gates, and some of attention with norms of queries and keys.</summary>
public sealed record Lfm2 : Architecture
{
    private const string Convolution = "conv", FullAttention = "full_attention";

    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.norm.", "model.embedding_norm."), (".input_layernorm.", ".operator_norm."), (".post_attention_layernorm.", ".ffn_norm."),
        (".mlp.gate_proj.", ".feed_forward.w1."), (".mlp.down_proj.", ".feed_forward.w2."), (".mlp.up_proj.", ".feed_forward.w3."),
        (".self_attn.in_proj.", ".conv.in_proj."), (".self_attn.out_proj.", ".conv.out_proj."), (".self_attn.conv1d.", ".conv.conv."),
        (".self_attn.o_proj.", ".self_attn.out_proj."), (".self_attn.q_norm.", ".self_attn.q_layernorm."), (".self_attn.k_norm.", ".self_attn.k_layernorm."),
    ];

    /// <inheritdoc/>
    public override string Name => "lfm2";

    /// <inheritdoc/>
    public override string ClassName => "Lfm2ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        // How weights began; names of sizes in files of the models' authors, which stand beside those that are read.
        keys.Leave(
            "block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init", "conv_use_xavier_init", "block_dim", "conv_dim", "conv_dim_out", "num_heads", "block_norm_eps",
            "block_use_swiglu", "use_pos_enc", "tie_word_embeddings");
        double theta = keys.Number("theta", 1e6);
        ModelConfig model = DecoderKeys.Read(keys, context: 128000, epsilon: 1e-5, epsilonKey: "norm_eps", theta: theta, kvHeads: 8, hidden: 12288);
        if (keys.Has("theta") && model.RopeBase != theta)
        {
            throw keys.Fault("theta", FormattableString.Invariant($"is not the {model.RopeBase} of rope_theta, which means the same; leave one of them out"));
        }

        bool bias = keys.Flag("conv_bias", false);
        model = model with
        {
            Tied = keys.Flag("tie_embedding", keys.Flag("tie_word_embeddings", true)),
            Hidden = HiddenOf(keys),
            FeedForward = new SwiGluConfig(),
            QkNorm = true,
            Bias = bias,
            QkvBias = bias ? false : null,
            OutputBias = bias ? false : null,
            FeedForwardBias = bias ? false : null,
        };
        var convolution = new GatedConvolutionConfig { Conv = keys.Count("conv_L_cache", 1024, 3), ConvBias = bias };
        return DecoderKeys.WithLayers(model, [.. IsAttention(keys, model.Layers).Select(attends => new LayerConfig(attends ? new AttentionConfig() : convolution, model.FeedForward))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string theirs = s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));
        return ours.Name.EndsWith(".conv1d.weight", StringComparison.Ordinal) ? TensorRule.Same(ours, theirs, [ours.Shape[0], 1, ours.Shape[1]]) : TensorRule.Same(ours, theirs);
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        GatedConvolutionConfig convolution = model.LayerConfigs().Select(layer => layer.Mixer).OfType<GatedConvolutionConfig>().FirstOrDefault() ?? new GatedConvolutionConfig();
        JsonObject keys = DecoderKeys.Write(model, "norm_eps");
        keys.Remove("tie_word_embeddings");
        keys["tie_embedding"] = model.Tied;
        keys["block_auto_adjust_ff_dim"] = false;
        keys["conv_L_cache"] = convolution.Conv;
        keys["conv_bias"] = convolution.ConvBias;
        keys["layer_types"] = new JsonArray([.. model.LayerConfigs().Select(layer => (JsonNode)(layer.Mixer is GatedConvolutionConfig ? Convolution : FullAttention))]);
        return keys;
    }

    // Two thirds of what is named, times a factor, up to a multiple.
    private static int HiddenOf(ForeignConfig keys)
    {
        int hidden = keys.Integer(keys.Has("block_ff_dim") ? "block_ff_dim" : "intermediate_size", 12288), multiple = keys.Count("block_multiple_of", 1 << 18, 256);
        double factor = keys.Number("block_ffn_dim_multiplier", 1);
        keys.Leave("intermediate_size");
        if (!keys.Flag("block_auto_adjust_ff_dim", true))
        {
            return hidden;
        }

        double adjusted = Math.Floor(factor * (2 * (long)hidden / 3));
        return adjusted is >= 1 and <= (1 << 18) ? (int)Math.Ceiling(adjusted / multiple) * multiple
            : throw keys.Fault("block_ffn_dim_multiplier", FormattableString.Invariant($"gives a feed-forward of {adjusted}"));
    }

    private static bool[] IsAttention(ForeignConfig keys, int layers)
    {
        double[]? attending = keys.Numbers("full_attn_idxs");
        if (keys.Texts("layer_types") is not { } types)
        {
            return [.. Enumerable.Range(0, layers).Select(layer => attending is null || attending.Contains(layer))];
        }

        return types.Length == layers && Array.TrueForAll(types, type => type is Convolution or FullAttention)
            ? [.. types.Select(type => type == FullAttention)]
            : throw keys.Fault("layer_types", $"expected {layers} of {Convolution} and {FullAttention}");
    }
}
