using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>GPT-2: matrices [in, out], queries, keys and values in one; learned positions; layer norms; the head is the embedding.</summary>
public sealed record Gpt2 : Architecture
{
    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.embed_tokens.", "transformer.wte."), ("model.embed_positions.", "transformer.wpe."), ("model.norm.", "transformer.ln_f."), ("model.layers.", "transformer.h."),
        (".input_layernorm.", ".ln_1."), (".post_attention_layernorm.", ".ln_2."), (".self_attn.o_proj.", ".attn.c_proj."), (".mlp.up_proj.", ".mlp.c_fc."), (".mlp.down_proj.", ".mlp.c_proj."),
    ];

    /// <inheritdoc/>
    public override string Name => "gpt2";

    /// <inheritdoc/>
    public override string ClassName => "GPT2LMHeadModel";

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        keys.Require("scale_attn_by_inverse_layer_idx", _ => false, "scores that depend on the layer are not supported");
        keys.Require("add_cross_attention", _ => false, "attention to another model is not supported");
        if (!keys.Flag("scale_attn_weights", true))
        {
            throw keys.Fault("scale_attn_weights", "scores that are not scaled are not supported");
        }

        keys.Leave("reorder_and_upcast_attn", "n_ctx", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj", "task_specific_params");
        int width = keys.Integer("n_embd", 768), heads = keys.Count("n_head", 4096, 12), context = keys.Integer("n_positions", 1024);
        if (keys.Context is { } asked && asked != context)
        {
            throw keys.Fault("n_positions", $"is how many positions were learned; --context {asked} does not fit");
        }

        return new ModelConfig
        {
            Layers = keys.Count("n_layer", 4096, 12),
            Width = width,
            Heads = heads,
            Context = context,
            Vocab = keys.Integer("vocab_size", 50257),
            Hidden = keys.Integer("n_inner", 4 * width),
            FeedForward = DecoderKeys.Plain(keys, "activation_function", "gelu_new"),
            Norm = NormKind.Layer,
            NormEpsilon = keys.Number("layer_norm_epsilon", 1e-5),
            Position = PositionKind.Learned,
            Bias = true,
            Tied = keys.Flag("tie_word_embeddings", true),
        };
    }

    /// <inheritdoc/>
    public override NameGlobs LeftOut(ModelConfig model) => new(Name, ["*.attn.bias", "*.attn.masked_bias", .. model.Tied ? [Head] : Array.Empty<string>()]);

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        bool isMatrix = ours.Name.EndsWith("_proj.weight", StringComparison.Ordinal);
        int part = Array.FindIndex([".self_attn.q_proj.", ".self_attn.k_proj.", ".self_attn.v_proj."], ours.Name.Contains);
        string theirs = s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));
        if (part < 0)
        {
            return isMatrix ? TensorRule.Transposed(ours, theirs) : TensorRule.Same(ours, theirs);
        }

        theirs = $"{theirs[..theirs.IndexOf(".self_attn.", StringComparison.Ordinal)]}.attn.c_attn.{(isMatrix ? "weight" : "bias")}";
        int rows = ours.Shape[0];
        return isMatrix ? TensorRule.Transposed(ours, theirs, 3 * rows, part * rows) : TensorRule.Rows(ours, theirs, 3 * rows, new RowRun(part * rows, rows));
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model) => new()
    {
        ["n_layer"] = model.Layers,
        ["n_embd"] = model.Width,
        ["n_head"] = model.Heads,
        ["n_positions"] = model.Context,
        ["n_ctx"] = model.Context,
        ["vocab_size"] = model.Vocab,
        ["n_inner"] = model.FeedForward.HiddenFor(model),
        ["activation_function"] = DecoderKeys.PlainActivation(model.FeedForward),
        ["layer_norm_epsilon"] = model.NormEpsilon,
        ["tie_word_embeddings"] = model.Tied,
    };
}
