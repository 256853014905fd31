using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary><c>gptneox</c>: GPT-NeoX and Pythia, the rows of all queries before those of all keys and values, where transformers has them head by head.</summary>
internal sealed record GgufNeoX : GgufArchitecture
{
    private const string Joined = ".attention.query_key_value.";

    /// <inheritdoc/>
    public override string Name => "gptneox";

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names { get; } =
    [
        ("gpt_neox.embed_in.", "token_embd."), ("gpt_neox.final_layer_norm.", "output_norm."), ("embed_out.", "output."), ("gpt_neox.layers.", "blk."), (Joined, ".attn_qkv."),
        (".attention.dense.", ".attn_output."), (".mlp.dense_h_to_4h.", ".ffn_up."), (".mlp.dense_4h_to_h.", ".ffn_down."), (".input_layernorm.", ".attn_norm."), (".post_attention_layernorm.", ".ffn_norm."),
    ];

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        JsonObject keys = Common("gpt_neox", file, vocab, "attention.layer_norm_epsilon", "layer_norm_eps");
        GgufRope.Read(file, keys, share: "rotary_pct");
        keys["rotary_emb_base"] = keys["rope_theta"]!.DeepClone();
        keys.Remove("num_key_value_heads");
        keys.Remove("head_dim");
        keys["use_parallel_residual"] = file.Metadata.Flag("use_parallel_residual", true);
        keys["hidden_act"] = "gelu";
        keys["attention_bias"] = true;
        return keys;
    }

    /// <inheritdoc/>
    protected override TensorPart Part(TensorPart part, ITensorFiles file, ModelConfig config)
    {
        TensorPart named = base.Part(part, file, config);
        int width = config.HeadDim;
        return part.Theirs.Contains(Joined, StringComparison.Ordinal)
            ? Reordered(named, row => (row / width % 3 * config.Heads * width) + (row / (3L * width) * width) + (row % width))
            : named;
    }
}
