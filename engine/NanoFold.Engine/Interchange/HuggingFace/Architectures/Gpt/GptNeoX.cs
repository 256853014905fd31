using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>GPT-NeoX and Pythia (arXiv 2204.06745, 2304.01373): layer norms, biases, rotary positions on a part of each head, queries, keys and values joined head by head.</summary>
public sealed record GptNeoX : Architecture
{
    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.embed_tokens.", "gpt_neox.embed_in."), ("model.norm.", "gpt_neox.final_layer_norm."), ("lm_head.", "embed_out."), ("model.layers.", "gpt_neox.layers."),
        (".self_attn.o_proj.", ".attention.dense."), (".mlp.up_proj.", ".mlp.dense_h_to_4h."), (".mlp.down_proj.", ".mlp.dense_4h_to_h."),
    ];

    /// <inheritdoc/>
    public override string Name => "gpt_neox";

    /// <inheritdoc/>
    public override string ClassName => "GPTNeoXForCausalLM";

    /// <inheritdoc/>
    public override string Prefix => "gpt_neox.";

    /// <inheritdoc/>
    protected override string Head => "embed_out.weight";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        keys.Leave("num_key_value_heads", "head_dim", "partial_rotary_factor", "rope_theta");
        ModelConfig model = DecoderKeys.Read(keys, epsilon: 1e-5, epsilonKey: "layer_norm_eps");
        int width = model.Width / model.Heads;
        return model with
        {
            KvHeads = model.Heads,
            HeadDim = width,
            FeedForward = DecoderKeys.Plain(keys, "hidden_act", "gelu"),
            Norm = NormKind.Layer,
            Parallel = keys.Flag("use_parallel_residual", true) ? ParallelKind.TwoNorms : ParallelKind.None,
            Bias = true,
            QkvBias = keys.Flag("attention_bias", true) ? null : false,
            OutputBias = keys.Flag("attention_bias", true) ? null : false,
            RopeBase = keys.Number("rotary_emb_base", model.RopeBase),
            Mixer = new AttentionConfig { RopeDim = DecoderKeys.RopeDim(keys, keys.Has("rotary_pct") ? "rotary_pct" : "partial_rotary_factor", width, 0.25) },
        };
    }

    /// <inheritdoc/>
    public override NameGlobs LeftOut(ModelConfig model) =>
        new(Name, ["*.attention.bias", "*.attention.masked_bias", "*.rotary_emb.inv_freq", .. model.Tied ? [Head] : Array.Empty<string>()]);

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string theirs = s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));
        int part = Array.FindIndex([".self_attn.q_proj.", ".self_attn.k_proj.", ".self_attn.v_proj."], ours.Name.Contains);
        if (part < 0)
        {
            return TensorRule.Same(ours, theirs);
        }

        int at = theirs.IndexOf(".self_attn.", StringComparison.Ordinal), width = model.HeadDim;
        // Each head has its query rows, then its key rows, then its value rows.
        RowRun[] runs = [.. Enumerable.Range(0, model.Heads).Select(head => new RowRun(((3L * head) + part) * width, width))];
        return TensorRule.Rows(ours, $"{theirs[..at]}.attention.query_key_value{ours.Name[ours.Name.LastIndexOf('.')..]}", 3L * model.Heads * width, runs);
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model, "layer_norm_eps");
        keys.Remove("num_key_value_heads");
        keys.Remove("head_dim");
        keys["rotary_emb_base"] = model.RopeBase;
        keys["rotary_pct"] = DecoderKeys.RopeShare(model);
        keys["hidden_act"] = DecoderKeys.PlainActivation(model.FeedForward);
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        keys["use_parallel_residual"] = model.Parallel != ParallelKind.None;
        return keys;
    }
}
