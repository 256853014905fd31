using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// RecurrentGemma (arXiv 2404.07839): Gemma with recurrent blocks and, in every third layer, attention to the last <c>attention_window_size</c> tokens. (The library's own
/// pass without a cache lets tokens see all before them, whatever the window is; what was trained, and decoding, have the window.)
/// </summary>
public sealed record RecurrentGemma : Architecture
{
    private const string Recurrent = "recurrent", Attention = "attention";

    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.norm.", "model.final_norm."), (".input_layernorm.", ".temporal_pre_norm."), (".post_attention_layernorm.", ".channel_pre_norm."), (".mlp.", ".mlp_block."),
        (".self_attn.", ".temporal_block."), (".y_proj.", ".linear_y."), (".x_proj.", ".linear_x."), (".out_proj.", ".linear_out."), (".conv1d.", ".conv_1d."),
        (".input_gate.", ".rg_lru.input_gate_"), (".recurrent_gate.", ".rg_lru.recurrent_gate_"), (".lambda", ".rg_lru.recurrent_param"),
    ];

    /// <inheritdoc/>
    public override string Name => "recurrent_gemma";

    /// <inheritdoc/>
    public override string ClassName => "RecurrentGemmaForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        // How weights began.
        keys.Leave("w_init_variance_scale", "final_w_init_variance_scale");
        ModelConfig model = DecoderKeys.Read(keys, context: 8192, tied: true, hidden: 7680);
        int hidden = keys.Integer("intermediate_size", 7680);
        model = model with
        {
            Hidden = hidden % 2 == 0 ? hidden / 2 : throw keys.Fault("intermediate_size", "expected an even number: gate and up have half of it each"),
            // The activation is that of recurrent blocks too.
            FeedForward = DecoderKeys.Gated(keys, "hidden_activation", "gelu_pytorch_tanh") as GeGluTanhConfig
                ?? throw keys.Fault("hidden_activation", "is an activation that is not supported in this architecture; those that are: gelu_pytorch_tanh"),
            NormGainFromOne = true,
            EmbeddingScale = ScaleOf(model.Width),
            LogitCap = keys.Number("logits_soft_cap", 30),
            Bias = true,
            QkvBias = keys.Flag("attention_bias", false),
        };
        AttentionFamilyConfig attention = DecoderKeys.Windowed(model, keys.Count("attention_window_size", int.MaxValue, 2048)) with
        {
            RopeDim = DecoderKeys.RopeDim(keys, "partial_rotary_factor", model.HeadDim, 0.5),
        };
        var recurrent = new RgLruConfig { State = keys.Count("lru_width", 1 << 16, model.Width), Conv = keys.Count("conv1d_width", 1024, 4) };
        return DecoderKeys.WithLayers(model, [.. Blocks(keys, model.Layers).Select(block => new LayerConfig(block == Attention ? attention : recurrent, model.FeedForward))]);
    }

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string theirs = s_names.Aggregate(ours.Name, (name, pair) => name.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));
        return ours.Name.EndsWith(".conv1d.weight", StringComparison.Ordinal) ? TensorRule.Same(ours, theirs, [ours.Shape[0], 1, ours.Shape[1]]) : TensorRule.Same(ours, theirs);
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        MixerConfig[] mixers = [.. model.LayerConfigs().Select(layer => layer.Mixer)];
        RgLruConfig recurrent = mixers.OfType<RgLruConfig>().FirstOrDefault() ?? new RgLruConfig { State = model.Width };
        JsonObject keys = DecoderKeys.Write(model);
        keys["intermediate_size"] = 2 * (int)keys["intermediate_size"]!;
        keys["hidden_activation"] = DecoderKeys.Activation(model.FeedForward);
        keys["logits_soft_cap"] = model.LogitCap;
        keys["attention_bias"] = model.QkvBias ?? model.Bias;
        keys["attention_window_size"] = DecoderKeys.WindowOf(model) ?? model.Context;
        keys["partial_rotary_factor"] = mixers.OfType<AttentionFamilyConfig>().FirstOrDefault() is { RopeDim: > 0 } heads ? (double)heads.RopeDim / model.HeadDim : 1;
        keys["lru_width"] = recurrent.State;
        keys["conv1d_width"] = recurrent.Conv;
        keys["block_types"] = new JsonArray([.. mixers.Select(mixer => (JsonNode)(mixer is RgLruConfig ? Recurrent : Attention))]);
        return keys;
    }

    // The root of the width, of which the library keeps 8 bits: rounded to nearest, ties to even.
    private static double ScaleOf(int width)
    {
        uint bits = BitConverter.SingleToUInt32Bits(MathF.Sqrt(width));
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }

    // A pattern that is repeated from the first.
    private static IEnumerable<string> Blocks(ForeignConfig keys, int layers)
    {
        string[] types = keys.Texts("block_types") ?? [Recurrent, Recurrent, Attention];
        return types.Length > 0 && Array.TrueForAll(types, type => type is Recurrent or Attention)
            ? Enumerable.Range(0, layers).Select(layer => types[layer % types.Length])
            : throw keys.Fault("block_types", $"expected a list of {Recurrent} and {Attention}");
    }
}
