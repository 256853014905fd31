using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>xLSTM-7B and its kin (arXiv 2503.13427): layers of matrix memory and SwiGLU, logits that level off.</summary>
public sealed record Xlstm : Architecture
{
    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.embed_tokens.", "backbone.embeddings."), ("model.norm.", "backbone.out_norm."), ("model.layers.", "backbone.blocks."),
        (".input_layernorm.", ".norm_mlstm."), (".post_attention_layernorm.", ".norm_ffn."), (".self_attn.", ".mlstm_layer."),
        (".mlp.gate_proj.", ".ffn.proj_up_gate."), (".mlp.up_proj.", ".ffn.proj_up."), (".mlp.down_proj.", ".ffn.proj_down."),
        (".q_proj.", ".q."), (".k_proj.", ".k."), (".v_proj.", ".v."), (".o_proj.", ".out_proj."), (".mlstm_layer.norm.", ".mlstm_layer.multihead_norm."),
        (".i_proj.", ".igate_preact."), (".f_proj.", ".fgate_preact."), (".g_proj.", ".ogate_preact."),
    ];

    /// <inheritdoc/>
    public override string Name => "xlstm";

    /// <inheritdoc/>
    public override string ClassName => "xLSTMForCausalLM";

    /// <inheritdoc/>
    public override string Prefix => "backbone.";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        // How passes are computed, and in which precision; names of sizes that stand beside those that are read.
        keys.Leave(
            "autocast_kernel_dtype", "chunk_size", "chunkwise_kernel", "sequence_kernel", "step_kernel", "mode", "inference_state_dtype", "max_inference_chunksize",
            "norm_reduction_force_float32", "return_last_states", "embedding_dim");
        keys.Require("weight_mode", node => node.ToString() == "single", "weights that are joined are not supported; those that are: single");
        if (!keys.Flag("add_out_norm", true))
        {
            throw keys.Fault("add_out_norm", "a model without a last norm is not supported");
        }

        int width = keys.Count(keys.Has("hidden_size") ? "hidden_size" : "embedding_dim", 1 << 16, 4096), heads = keys.Count("num_heads", 4096, 8);
        return Meant(new ModelConfig
        {
            Layers = keys.Count(keys.Has("num_blocks") ? "num_blocks" : "num_hidden_layers", 4096, 32),
            Width = width,
            Heads = heads,
            Context = DecoderKeys.ContextOf(keys, keys.Integer("max_position_embeddings", 8192)),
            Vocab = keys.Integer("vocab_size", 50304),
            Hidden = HiddenOf(keys, width),
            NormEpsilon = keys.Number("norm_eps", 1e-6),
            LogitCap = keys.Number("output_logit_soft_cap", 30),
            Tied = keys.Flag("tie_word_embeddings", false),
            FeedForward = new SwiGluConfig(),
            Mixer = new MlstmConfig
            {
                HeadDim = PartOf(keys, "qk_dim_factor", 0.5, width, heads),
                ValueDim = PartOf(keys, "v_dim_factor", 1, width, heads),
                GateCap = keys.Number("gate_soft_cap", 15),
                Epsilon = keys.Number("eps", 1e-6),
            },
        });
    }

    /// <inheritdoc/>
    protected override ModelConfig Meant(ModelConfig model) => WithoutHeads.Of(model) with
    {
        // Its heads are the mixer's, but for their number.
        Heads = model.Heads,
        KvHeads = model.KvHeads == model.Heads ? 0 : model.KvHeads,
        QkNorm = model.QkNorm,
    };

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) =>
        TensorRule.Same(ours, s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal)));

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        MlstmConfig mixer = model.LayerConfigs().Select(layer => layer.Mixer).OfType<MlstmConfig>().FirstOrDefault() ?? new MlstmConfig();
        HeadShape shape = mixer.ShapeFor(model);
        return new JsonObject
        {
            ["num_hidden_layers"] = model.Layers,
            ["num_blocks"] = model.Layers,
            ["hidden_size"] = model.Width,
            ["embedding_dim"] = model.Width,
            ["num_heads"] = shape.Heads,
            ["vocab_size"] = model.Vocab,
            ["max_position_embeddings"] = model.Context,
            ["norm_eps"] = model.NormEpsilon,
            ["tie_word_embeddings"] = model.Tied,
            ["qk_dim_factor"] = Factor(shape.QueryWidth, model.Width),
            ["v_dim_factor"] = Factor(shape.OutputWidth, model.Width),
            ["ffn_proj_factor"] = Factor(model.LayerConfigs()[0].FeedForward.HiddenFor(model), model.Width),
            ["ffn_round_up_to_multiple_of"] = 1,
            ["gate_soft_cap"] = mixer.GateCap,
            ["output_logit_soft_cap"] = model.LogitCap,
            ["eps"] = mixer.Epsilon,
            ["use_bias"] = model.Bias,
            ["add_out_norm"] = true,
            ["weight_mode"] = "single",
        };
    }

    // Up to a multiple, as the library rounds.
    private static int HiddenOf(ForeignConfig keys, int width)
    {
        double factor = keys.Number("ffn_proj_factor", 2.667);
        int multiple = keys.Count("ffn_round_up_to_multiple_of", 1 << 18, 64);
        double hidden = Math.Floor(((width * factor) + multiple - 1) / multiple) * multiple;
        return hidden is >= 1 and <= (1 << 18) ? (int)hidden : throw keys.Fault("ffn_proj_factor", FormattableString.Invariant($"gives a feed-forward of {hidden}"));
    }

    // The elements of a head.
    private static int PartOf(ForeignConfig keys, string key, double otherwise, int width, int heads)
    {
        double all = Math.Floor(width * keys.Number(key, otherwise));
        return all >= heads && all % heads == 0 && all / heads <= 4096 ? (int)all / heads : throw keys.Fault(key, FormattableString.Invariant($"gives {all} elements, which {heads} heads do not share evenly"));
    }

    // A factor of the width whose product, rounded down, is that many.
    private static double Factor(int elements, int width)
    {
        double factor = (double)elements / width;
        return width * factor < elements ? Math.BitIncrement(factor) : factor;
    }
}
