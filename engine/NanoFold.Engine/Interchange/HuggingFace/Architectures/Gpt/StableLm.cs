using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>StableLM 2 (arXiv 2402.17834): Llama with layer norms and rotary positions on a part of each head; where asked, biases on queries, keys and values and a norm of its own for each head.</summary>
public sealed record StableLm : Architecture
{
    /// <inheritdoc/>
    public override string Name => "stablelm";

    /// <inheritdoc/>
    public override string ClassName => "StableLmForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        ModelConfig model = DecoderKeys.Read(keys, context: 4096, epsilon: 1e-5, epsilonKey: "layer_norm_eps");
        return model with
        {
            FeedForward = DecoderKeys.Gated(keys),
            Norm = NormKind.Layer,
            Parallel = keys.Flag("use_parallel_residual", false) ? ParallelKind.OneNorm : ParallelKind.None,
            QkvBias = keys.Flag("use_qkv_bias", false) ? true : null,
            QkNorm = keys.Flag("qk_layernorm", false),
            QkNormKind = keys.Flag("qk_layernorm", false) ? NormKind.Layer : NormKind.Rms,
            QkNormOver = keys.Flag("qk_layernorm", false) ? QkNormSpan.EachHead : QkNormSpan.Head,
            QkNormBias = !keys.Flag("qk_layernorm", false),
            Mixer = new AttentionConfig { RopeDim = DecoderKeys.RopeDim(keys, "partial_rotary_factor", model.HeadDim, 0.25) },
        };
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        int at = new[] { ".q_norm.", ".k_norm." }.Select(name => ours.Name.IndexOf(name, StringComparison.Ordinal)).Max();
        return at < 0 ? TensorRule.Same(ours, ours.Name) : TensorRule.Joined(ours, ours.Shape[0] / model.HeadDim, head => $"{ours.Name[..(at + 2)]}_layernorm.norms.{head}.weight");
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model, "layer_norm_eps");
        keys.Remove("head_dim");
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["use_qkv_bias"] = model.QkvBias ?? model.Bias;
        keys["qk_layernorm"] = model.QkNorm;
        keys["use_parallel_residual"] = model.Parallel != ParallelKind.None;
        keys["partial_rotary_factor"] = DecoderKeys.RopeShare(model);
        return keys;
    }
}
