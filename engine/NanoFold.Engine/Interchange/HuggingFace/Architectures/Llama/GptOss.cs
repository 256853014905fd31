using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// gpt-oss (arXiv 2508.10925): windows in every other layer, a score for each head that has no value, experts of clamped SwiGLU with biases. The matrices of experts lie [in, out],
/// gate and up in turns.
/// </summary>
public sealed record GptOss : Architecture
{
    private const string Experts = ".mlp.experts.";

    /// <inheritdoc/>
    public override string Name => "gpt_oss";

    /// <inheritdoc/>
    public override string ClassName => "GptOssForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        // The library has one activation for them, whatever is said.
        keys.Leave("hidden_act", "experts_per_token", "initial_context_length");
        keys.Require("swiglu_limit", node => ForeignConfig.NumberOf(node) == ClampedGluOp.Limit, $"is a limit that is not supported; expected {ClampedGluOp.Limit}");
        keys.Require("swiglu_alpha", node => ForeignConfig.NumberOf(node) == ClampedGluOp.Steepness, $"is a factor that is not supported; expected {ClampedGluOp.Steepness}");
        ModelConfig model = DecoderKeys.Read(keys, context: 131072, epsilon: 1e-5, theta: 150000, kvHeads: 8);
        bool bias = keys.Flag("attention_bias", true);
        model = model with
        {
            HeadDim = keys.Integer("head_dim", 64),
            QkvBias = bias,
            OutputBias = bias,
            RopeScaling = keys.Names.Contains("rope_scaling") || keys.Has("rope_parameters") ? model.RopeScaling : new YarnConfig { Factor = 32, Original = 4096, Truncate = false },
        };
        MoeConfig mixture = ExpertRules.Mixture(
            new ClampedSwiGluConfig(), keys.Integer("num_local_experts", 128), keys.Integer("num_experts_per_tok", 4), model.Hidden, renormalize: true) with { Bias = true };
        int window = keys.Integer("sliding_window", 128);
        return DecoderKeys.WithLayers(model, [.. DecoderKeys.Slides(keys, model.Layers, layer => layer % 2 == 0).Select(slides => new LayerConfig(WithSinks(DecoderKeys.Windowed(model, slides ? window : 0)), mixture))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        int at = ours.Name.IndexOf(Experts, StringComparison.Ordinal);
        if (at < 0)
        {
            return TensorRule.Same(ours, ours.Name.Replace(".mlp.gate.", ".mlp.router.", StringComparison.Ordinal));
        }

        string experts = ours.Name[..(at + Experts.Length)];
        (int count, int rows) = (ours.Shape[0], ours.Shape[1]);
        return ours.Name[experts.Length..] switch
        {
            "gate_proj.weight" => TensorRule.TransposedStack(ours, $"{experts}gate_up_proj", 2 * rows, start: 0, stride: 2),
            "up_proj.weight" => TensorRule.TransposedStack(ours, $"{experts}gate_up_proj", 2 * rows, start: 1, stride: 2),
            "gate_proj.bias" => TensorRule.Strided(ours, $"{experts}gate_up_proj_bias", [count, 2 * rows], start: 0, stride: 2),
            "up_proj.bias" => TensorRule.Strided(ours, $"{experts}gate_up_proj_bias", [count, 2 * rows], start: 1, stride: 2),
            "down_proj.weight" => TensorRule.TransposedStack(ours, $"{experts}down_proj"),
            _ => TensorRule.Same(ours, $"{experts}down_proj_bias"),
        };
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        MoeConfig mixture = ExpertRules.In(model);
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = "silu";
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        keys["num_local_experts"] = mixture.Experts;
        keys["num_experts_per_tok"] = mixture.Active;
        keys["sliding_window"] = DecoderKeys.WindowOf(model) ?? model.Context;
        keys["layer_types"] = DecoderKeys.LayerTypes(model);
        // Without the key the library scales.
        keys["rope_scaling"] ??= new JsonObject { ["rope_type"] = "default" };
        return keys;
    }

    private static AttentionFamilyConfig WithSinks(AttentionFamilyConfig attention) => attention switch
    {
        SlidingWindowConfig window => window with { SinkLogits = true },
        AttentionConfig full => full with { SinkLogits = true },
        _ => attention,
    };
}
