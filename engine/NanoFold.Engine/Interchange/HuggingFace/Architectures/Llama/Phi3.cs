using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Phi-3 (arXiv 2404.14219): Mistral with joined matrices, of queries, keys and values and of gate and up.</summary>
public sealed record Phi3 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "phi3";

    /// <inheritdoc/>
    public override string ClassName => "Phi3ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = DecoderKeys.Read(keys, context: 4096, epsilon: 1e-5) with { FeedForward = DecoderKeys.Gated(keys) };
        model = DecoderKeys.WithWindow(keys, model);
        keys.Leave("original_max_position_embeddings");
        return model with { Mixer = (AttentionFamilyConfig)model.Mixer with { RopeDim = DecoderKeys.RopeDim(keys, "partial_rotary_factor", model.HeadDim, 1) } };
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        int queries = model.Heads * model.HeadDim, keys = model.KvHeads * model.HeadDim, hidden = model.FeedForward.HiddenFor(model);
        (string Ours, string Theirs, long Rows, long Start)[] joined =
        [
            ("q_proj", "qkv_proj", queries + (2 * keys), 0), ("k_proj", "qkv_proj", queries + (2 * keys), queries), ("v_proj", "qkv_proj", queries + (2 * keys), queries + keys),
            ("gate_proj", "gate_up_proj", 2 * hidden, 0), ("up_proj", "gate_up_proj", 2 * hidden, hidden),
        ];
        (string Ours, string Theirs, long Rows, long Start) found = Array.Find(joined, part => ours.Name.EndsWith($".{part.Ours}.weight", StringComparison.Ordinal));
        return found.Ours is null
            ? TensorRule.Same(ours, ours.Name)
            : TensorRule.Rows(ours, ours.Name.Replace(found.Ours, found.Theirs, StringComparison.Ordinal), found.Rows, new RowRun(found.Start, ours.Shape[0]));
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys.Remove("head_dim");
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["sliding_window"] = DecoderKeys.WindowOf(model);
        keys["partial_rotary_factor"] = DecoderKeys.RopeShare(model);
        // The library's own default, 32000, may lie outside of the vocabulary.
        keys["pad_token_id"] = null;
        return keys;
    }
}
