using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary><c>gpt2</c>: matrices [out, in], which transformers has transposed.</summary>
internal sealed record GgufGpt2 : GgufArchitecture
{
    private const string Positions = "position_embd.weight";

    /// <inheritdoc/>
    public override string Name => "gpt2";

    /// <summary>Masks that some files hold.</summary>
    public override IEnumerable<string> LeftOut => ["blk.*.attn.bias", "blk.*.attn.masked_bias"];

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names { get; } =
    [
        ("transformer.wte.", "token_embd."), ("transformer.wpe.", "position_embd."), ("transformer.ln_f.", "output_norm."), ("transformer.h.", "blk."), ("lm_head.", "output."),
        (".ln_1.", ".attn_norm."), (".ln_2.", ".ffn_norm."), (".attn.c_attn.", ".attn_qkv."), (".attn.c_proj.", ".attn_output."), (".mlp.c_fc.", ".ffn_up."), (".mlp.c_proj.", ".ffn_down."),
    ];

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        JsonObject common = Common(Name, file, vocab, "attention.layer_norm_epsilon", "layer_norm_epsilon");
        int context = (int)common["max_position_embeddings"]!;
        return file.Find(Positions) is { Shape: [{ } rows, _] } && rows == context
            ? new JsonObject
            {
                ["model_type"] = Name,
                ["vocab_size"] = vocab,
                ["n_embd"] = (int)common["hidden_size"]!,
                ["n_inner"] = (int)common["intermediate_size"]!,
                ["n_layer"] = (int)common["num_hidden_layers"]!,
                ["n_head"] = (int)common["num_attention_heads"]!,
                ["n_positions"] = context,
                ["layer_norm_epsilon"] = (double)common["layer_norm_epsilon"]!,
                ["tie_word_embeddings"] = (bool)common["tie_word_embeddings"]!,
                ["activation_function"] = "gelu_new",
            }
            : throw new UserException($"{file.Path}: '{Positions}' does not have the {context} rows of {file.Metadata.Full("context_length")}");
    }

    /// <inheritdoc/>
    protected override TensorPart Part(TensorPart part, ITensorFiles file, ModelConfig config)
    {
        TensorPart named = base.Part(part, file, config);
        // Columns there are rows here.
        return part.IsTransposed ? named with { IsTransposed = false, Shape = [part.Shape[1], part.Shape[0]] } : named;
    }
}
