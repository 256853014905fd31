using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// DiffLlama: Llama with differential attention (arXiv 2410.05258) of heads i and i + H/2, whose norms have no gain. Here the two heads of a pair lie one after the other, in
/// groups of those that share key heads, so that rows of queries, keys and values are reordered.
/// </summary>
public sealed record DiffLlama : Architecture
{
    /// <inheritdoc/>
    public override string Name => "diffllama";

    /// <inheritdoc/>
    public override string ClassName => "DiffLlamaForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = DecoderKeys.Read(keys, epsilon: 1e-5);
        bool? bias = DecoderKeys.AttentionBias(keys);
        // Of what the vectors of λ start as.
        keys.Leave("lambda_std_dev");
        return model.KvHeads % 2 == 0
            ? model with
            {
                FeedForward = DecoderKeys.Gated(keys),
                Mixer = new DifferentialConfig { Pairing = HeadPairing.KeyHeads, NormGain = false },
                QkvBias = bias,
                OutputBias = bias,
            }
            : throw keys.Fault(keys.Has("num_key_value_heads") ? "num_key_value_heads" : "num_attention_heads", $"{model.KvHeads} key/value heads are not supported; the two heads of a pair have one each, so that an even number is needed");
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => ours.Name.Split('.') switch
    {
        [.., "q_proj", _] => Reordered(ours, model, model.Heads / model.KvHeads * model.HeadDim),
        [.., "k_proj" or "v_proj", _] => Reordered(ours, model, model.HeadDim),
        _ => TensorRule.Same(ours, ours.Name),
    };

    /// <inheritdoc/>
    // Pairs are the same by both rules where no key head is shared.
    protected override ModelConfig Meant(ModelConfig model) => DecoderKeys.WithMixers(
        model, mixer => mixer is DifferentialConfig pairs && pairs.ShapeFor(model) is var shape && shape.Heads == shape.KvHeads ? pairs with { Pairing = HeadPairing.KeyHeads } : mixer);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        return keys;
    }

    // Of each key head, or what belongs to it: first of the pairs' first members, then of their second ones; here one member after the other.
    private static TensorRule Reordered(WeightInfo ours, ModelConfig model, int rows)
    {
        int pairs = model.KvHeads / 2;
        return TensorRule.Rows(ours, ours.Name, ours.Shape[0], [.. Enumerable.Range(0, 2 * pairs).Select(i => new RowRun(((i % 2 * pairs) + (i / 2)) * rows, rows))]);
    }
}
