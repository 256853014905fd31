using System.Text.Json.Nodes;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary><c>gemma</c>, <c>gemma2</c>, <c>gemma3</c>: gains are stored as 1 + g, windows and the base of local layers are implied by the architecture.</summary>
/// <param name="Name">Here.</param>
/// <param name="Type">The <c>model_type</c> there.</param>
internal sealed record GgufGemma(string Name, string Type) : GgufArchitecture
{
    // The largest models of two families scale their scores by the width a head has of the stream.
    private const int LayersOfGemma2Large = 46, LayersOfGemma3Large = 62;

    /// <inheritdoc/>
    public override string Name { get; } = Name;

    /// <inheritdoc/>
    public override IEnumerable<string> LeftOut => GgufRope.Tensors;

    /// <inheritdoc/>
    protected override IReadOnlyList<(string Theirs, string Here)> Names => Type == "gemma" ? GgufLlama.Usual :
    [
        (".pre_feedforward_layernorm.", ".ffn_norm."), (".post_feedforward_layernorm.", ".post_ffw_norm."), (".post_attention_layernorm.", ".post_attention_norm."), .. GgufLlama.Usual,
    ];

    /// <inheritdoc/>
    public override JsonObject Keys(GgufFile file, int vocab)
    {
        GgufMetadata here = file.Metadata;
        JsonObject keys = Common(Type, file, vocab);
        GgufRope.Read(file, keys, theta: Type == "gemma3_text" ? 1e6 : 10000);
        keys["hidden_activation"] = "gelu_pytorch_tanh";
        keys["hidden_act"] = "gelu_pytorch_tanh";
        if (Type == "gemma")
        {
            return keys;
        }

        int layers = (int)keys["num_hidden_layers"]!, head = (int)keys["head_dim"]!;
        bool isLarge = layers == (Type == "gemma2" ? LayersOfGemma2Large : LayersOfGemma3Large);
        keys["query_pre_attn_scalar"] = isLarge ? (int)keys["hidden_size"]! / (int)keys["num_attention_heads"]! : head;
        keys["sliding_window"] = here.Count("attention.sliding_window", int.MaxValue, Type == "gemma2" ? 4096 : null);
        // Every second layer sees all keys, or every sixth.
        int period = Type == "gemma2" ? 2 : 6;
        keys["layer_types"] = new JsonArray([.. Enumerable.Range(1, layers).Select(layer => (JsonNode)(layer % period == 0 ? "full_attention" : "sliding_attention"))]);
        if (Type == "gemma2")
        {
            keys["attn_logit_softcapping"] = here.Number("attn_logit_softcapping", 50);
            keys["final_logit_softcapping"] = here.Number("final_logit_softcapping", 30);
        }
        else
        {
            keys["rope_local_base_freq"] = here.Number("rope.local_freq_base", here.Number("rope.freq_base_swa", 10000));
            if (here.Has("final_logit_softcapping") && here.Number("final_logit_softcapping") != 0)
            {
                keys["final_logit_softcapping"] = here.Number("final_logit_softcapping");
            }
        }

        return keys;
    }

    /// <inheritdoc/>
    public override ITensorFiles Files(GgufFile file) => new ChangedValues(file, name => name.EndsWith("norm.weight", StringComparison.Ordinal) ? gain => gain - 1 : null);
}
