using System.Text.Json.Nodes;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Command R of Cohere: attention and feed-forward beside each other after one layer norm without bias, rotary positions of neighboring pairs, scaled logits.</summary>
public sealed record Cohere : Architecture
{
    /// <inheritdoc/>
    public override string Name => "cohere";

    /// <inheritdoc/>
    public override string ClassName => "CohereForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        bool normed = keys.Flag("use_qk_norm", false);
        bool? bias = DecoderKeys.AttentionBias(keys);
        return DecoderKeys.Read(keys, context: 8192, epsilon: 1e-5, epsilonKey: "layer_norm_eps", tied: true) with
        {
            FeedForward = DecoderKeys.Gated(keys),
            Norm = NormKind.Layer,
            NormBias = false,
            Parallel = ParallelKind.OneNorm,
            RopeInterleaved = true,
            LogitScale = keys.Number("logit_scale", 0.0625),
            QkNorm = normed,
            QkNormKind = normed ? NormKind.Layer : NormKind.Rms,
            QkNormOver = normed ? QkNormSpan.EachHead : QkNormSpan.Head,
            QkNormBias = !normed,
            QkvBias = bias,
            OutputBias = bias,
        };
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => ours.Name.EndsWith("_norm.weight", StringComparison.Ordinal)
        ? TensorRule.Same(ours, ours.Name, [ours.Shape[0] / model.HeadDim, model.HeadDim])
        : TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model, "layer_norm_eps");
        keys.Remove("head_dim");
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        keys["logit_scale"] = model.LogitScale;
        keys["use_qk_norm"] = model.QkNorm;
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        return keys;
    }
}
