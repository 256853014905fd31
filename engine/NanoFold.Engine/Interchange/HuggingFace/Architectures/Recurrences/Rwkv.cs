using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// RWKV-4 (arXiv 2305.13048). <c>rescale_every</c> is left: by it the library halves the stream and what joins it every so many layers, so that 16 bits hold it, which
/// norms take out again.
/// </summary>
public sealed record Rwkv : Architecture
{
    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.embed_tokens.", "rwkv.embeddings."), ("model.embed_norm.", "rwkv.blocks.0.pre_ln."), ("model.norm.", "rwkv.ln_out."), ("lm_head.", "head."),
        ("model.layers.", "rwkv.blocks."), (".input_layernorm.", ".ln1."), (".post_attention_layernorm.", ".ln2."),
        (".self_attn.", ".attention."), (".attention.decay", ".attention.time_decay"), (".attention.bonus", ".attention.time_first"),
        (".mlp.up_proj.", ".mlp.key."), (".mlp.down_proj.", ".mlp.value."), (".mlp.gate_proj.", ".mlp.receptance."), (".mlp.", ".feed_forward."),
        (".k_proj.", ".key."), (".v_proj.", ".value."), (".r_proj.", ".receptance."), (".o_proj.", ".output."),
        (".mix_k", ".time_mix_key"), (".mix_v", ".time_mix_value"), (".mix_r", ".time_mix_receptance"),
    ];

    /// <inheritdoc/>
    public override string Name => "rwkv";

    /// <inheritdoc/>
    public override string ClassName => "RwkvForCausalLM";

    /// <inheritdoc/>
    public override string Prefix => "rwkv.";

    /// <inheritdoc/>
    protected override string Head => "head.weight";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        keys.Leave("rescale_every");
        int width = keys.Count("hidden_size", 1 << 16);
        return Meant(new ModelConfig
        {
            Layers = keys.Count("num_hidden_layers", 4096),
            Width = width,
            Context = DecoderKeys.ContextOf(keys, keys.Integer("context_length", 1024)),
            Vocab = keys.Integer("vocab_size"),
            Hidden = keys.Count("intermediate_size", 1 << 18, 4 * width),
            Norm = NormKind.Layer,
            NormEpsilon = keys.Number("layer_norm_epsilon", 1e-5),
            EmbeddingNorm = true,
            Tied = keys.Flag("tie_word_embeddings", false),
            Mixer = new Rwkv4Config { State = keys.Count("attention_hidden_size", 1 << 16, width) },
            FeedForward = new ChannelMixConfig(),
        });
    }

    /// <inheritdoc/>
    protected override ModelConfig Meant(ModelConfig model) => WithoutHeads.Of(model) with { QkvBias = null, OutputBias = null };

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string theirs = s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));
        return theirs.Contains(".time_mix_", StringComparison.Ordinal) ? TensorRule.Same(ours, theirs, [1, 1, ours.Shape[0]]) : TensorRule.Same(ours, theirs);
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model) => new()
    {
        ["num_hidden_layers"] = model.Layers,
        ["hidden_size"] = model.Width,
        ["context_length"] = model.Context,
        ["vocab_size"] = model.Vocab,
        ["intermediate_size"] = model.LayerConfigs()[0].FeedForward.HiddenFor(model),
        ["attention_hidden_size"] = model.LayerConfigs()[0].Mixer is Rwkv4Config mixer ? mixer.State : model.Width,
        ["layer_norm_epsilon"] = model.NormEpsilon,
        ["tie_word_embeddings"] = model.Tied,
        // Numbers are those without.
        ["rescale_every"] = 0,
    };
}
