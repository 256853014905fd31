using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Gemma (arXiv 2403.08295): Llama with gains 1 + g, the embedding times √width, GeGLU, and a head that is the embedding.</summary>
public sealed record Gemma : Architecture
{
    /// <inheritdoc/>
    public override string Name => "gemma";

    /// <inheritdoc/>
    public override string ClassName => "GemmaForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys) => GemmaKeys.Read(keys, context: 8192);

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model) => TensorRule.Same(ours, ours.Name);

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        JsonObject keys = GemmaKeys.Write(model);
        // This class reads it by the other name.
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        return keys;
    }
}

/// <summary>What all Gemmas have.</summary>
internal static class GemmaKeys
{
    /// <summary>The model without norms after its sub-blocks, windows and caps.</summary>
    /// <param name="keys">Where it stands.</param>
    /// <param name="context">Where <c>max_position_embeddings</c> says nothing.</param>
    /// <param name="theta">Where <c>rope_theta</c> says nothing.</param>
    public static ModelConfig Read(ForeignConfig keys, int context, double theta = 10000)
    {
        keys.Leave("hidden_act");
        ModelConfig model = DecoderKeys.Read(keys, context, tied: true, theta: theta);
        bool? bias = DecoderKeys.AttentionBias(keys);
        return model with
        {
            HeadDim = keys.Integer("head_dim", 256),
            FeedForward = DecoderKeys.Gated(keys, keys.Has("hidden_activation") ? "hidden_activation" : "hidden_act", "gelu_pytorch_tanh"),
            NormGainFromOne = true,
            EmbeddingScale = Math.Sqrt(model.Width),
            QkvBias = bias,
            OutputBias = bias,
        };
    }

    /// <summary>What Gemma 2 and 3 have besides: norms before and after, a scale of its own for scores, caps.</summary>
    public static ModelConfig WithScores(ForeignConfig keys, ModelConfig model, double scoreCap, double logitCap)
    {
        double scalar = keys.Number("query_pre_attn_scalar", 256);
        return model with
        {
            NormPlace = Modules.NormPlaceKind.Sandwich,
            ScoreScale = scalar == model.HeadDim ? 0 : scalar > 0 ? 1 / Math.Sqrt(scalar) : throw keys.Fault("query_pre_attn_scalar", "expected more than 0"),
            ScoreCap = CapOf(keys, "attn_logit_softcapping", scoreCap),
            LogitCap = CapOf(keys, "final_logit_softcapping", logitCap),
        };
    }

    /// <summary>The keys of all of them.</summary>
    public static JsonObject Write(ModelConfig model)
    {
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_activation"] = DecoderKeys.Activation(model.FeedForward);
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        return keys;
    }

    /// <summary>The keys of <see cref="WithScores"/>.</summary>
    public static void WriteScores(ModelConfig model, JsonObject keys)
    {
        keys["query_pre_attn_scalar"] = model.ScoreScale > 0 ? Math.Round(1 / (model.ScoreScale * model.ScoreScale), 9) : model.HeadDim;
        keys["attn_logit_softcapping"] = model.ScoreCap > 0 ? model.ScoreCap : null;
        keys["final_logit_softcapping"] = model.LogitCap > 0 ? model.LogitCap : null;
    }

    // Null says that there is none; where the key is not there, the library has one of its own.
    private static double CapOf(ForeignConfig keys, string key, double otherwise) =>
        keys.Names.Contains(key) ? keys.Number(key, 0) : otherwise;
}
