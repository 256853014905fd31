using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Phi-1 to Phi-2 (arXiv 2306.11644): attention and feed-forward beside each other after one layer norm, biases everywhere, rotary positions on a part of each head.</summary>
public sealed record Phi : Architecture
{
    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.norm.", "model.final_layernorm."), (".o_proj.", ".dense."), (".up_proj.", ".fc1."), (".down_proj.", ".fc2."), (".q_norm.", ".q_layernorm."), (".k_norm.", ".k_layernorm."),
    ];

    /// <inheritdoc/>
    public override string Name => "phi";

    /// <inheritdoc/>
    public override string ClassName => "PhiForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = DecoderKeys.Read(keys, epsilon: 1e-5, epsilonKey: "layer_norm_eps");
        bool normed = keys.Flag("qk_layernorm", false);
        return model with
        {
            FeedForward = DecoderKeys.Plain(keys, "hidden_act", "gelu_new"),
            Norm = NormKind.Layer,
            Parallel = ParallelKind.OneNorm,
            Bias = true,
            HeadBias = true,
            QkNorm = normed,
            QkNormKind = normed ? NormKind.Layer : NormKind.Rms,
            Mixer = new AttentionConfig { RopeDim = DecoderKeys.RopeDim(keys, "partial_rotary_factor", model.HeadDim, 0.5) },
        };
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) =>
        TensorRule.Same(ours, s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal)));

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model, "layer_norm_eps");
        keys.Remove("head_dim");
        keys["hidden_act"] = DecoderKeys.PlainActivation(model.FeedForward);
        keys["partial_rotary_factor"] = DecoderKeys.RopeShare(model);
        keys["qk_layernorm"] = model.QkNorm;
        return keys;
    }
}
