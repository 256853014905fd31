using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary>
/// <c>llama</c>: Llama, Mistral and Mixtral. Positions turn elements beside each other here, halves of a head there: rows 2j and 2j + 1 of a head of queries or keys are
/// rows j and j + D/2 there.
/// </summary>
internal sealed record GgufLlama : GgufArchitecture
{
    private const string Experts = ".block_sparse_moe.experts.";

    private static readonly (string Theirs, string Here)[] s_matrices = [("w1", "ffn_gate_exps"), ("w2", "ffn_down_exps"), ("w3", "ffn_up_exps")];

    /// <summary>Names of transformers' Llama, and of what derives from it.</summary>
    public static IReadOnlyList<(string Theirs, string Here)> Usual { get; } =
    [
        ("model.embed_tokens.", "token_embd."), ("model.norm.", "output_norm."), ("lm_head.", "output."), ("model.layers.", "blk."),
        (".self_attn.q_proj.", ".attn_q."), (".self_attn.k_proj.", ".attn_k."), (".self_attn.v_proj.", ".attn_v."), (".self_attn.o_proj.", ".attn_output."),
        (".self_attn.q_norm.", ".attn_q_norm."), (".self_attn.k_norm.", ".attn_k_norm."), (".self_attn.qkv_proj.", ".attn_qkv."),
        (".mlp.gate_proj.", ".ffn_gate."), (".mlp.up_proj.", ".ffn_up."), (".mlp.down_proj.", ".ffn_down."), (".mlp.gate_up_proj.", ".ffn_up."), (".mlp.gate.", ".ffn_gate_inp."),
        (".block_sparse_moe.gate.", ".ffn_gate_inp."), (".input_layernorm.", ".attn_norm."), (".post_attention_layernorm.", ".ffn_norm."),
    ];

    /// <inheritdoc/>
    public override string Name => "llama";

    /// <inheritdoc/>
    public override IEnumerable<string> LeftOut => GgufRope.Tensors;

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names => Usual;

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        int experts = file.Metadata.Count("expert_count", 4096, 0, least: 0);
        JsonObject keys = Common(experts > 0 ? "mixtral" : "llama", file, vocab);
        GgufRope.Read(file, keys);
        if (experts > 0)
        {
            keys["num_local_experts"] = experts;
            keys["num_experts_per_tok"] = file.Metadata.Count("expert_used_count", experts);
            keys["sliding_window"] = null;
        }
        else
        {
            keys["attention_bias"] = file.Find("blk.0.attn_q.bias") is not null;
            keys["mlp_bias"] = file.Find("blk.0.ffn_gate.bias") is not null;
        }

        return keys;
    }

    /// <summary>Where a row of queries or keys lies whose head's halves are turned together there, and neighbors here.</summary>
    /// <param name="row">There.</param>
    /// <param name="head">Rows of a head.</param>
    public static long Neighbors(long row, int head)
    {
        long within = row % head;
        return row - within + (within % (head / 2) * 2) + (within / (head / 2));
    }

    /// <inheritdoc/>
    protected override TensorPart Part(TensorPart part, ITensorFiles file, ModelConfig config)
    {
        int at = part.Theirs.IndexOf(Experts, StringComparison.Ordinal);
        if (at >= 0)
        {
            string[] names = part.Theirs[(at + Experts.Length)..].Split('.');
            string stack = $"{NameOf(part.Theirs[..at])}.{Array.Find(s_matrices, matrix => matrix.Theirs == names[1]).Here}.{names[2]}";
            return OfStack(part, stack, int.Parse(names[0], System.Globalization.CultureInfo.InvariantCulture), CountIn(file, stack));
        }

        bool turns = part.Theirs.Contains(".self_attn.q_proj.", StringComparison.Ordinal) || part.Theirs.Contains(".self_attn.k_proj.", StringComparison.Ordinal);
        TensorPart named = base.Part(part, file, config);
        return turns ? Reordered(named, row => Neighbors(row, config.HeadDim)) : named;
    }

    // A stack that is not there is reported by its name, whatever its extent.
    internal static int CountIn(ITensorFiles file, string stack) => (int)Math.Min(file.Find(stack)?.Shape[0] ?? 1, int.MaxValue);
}
