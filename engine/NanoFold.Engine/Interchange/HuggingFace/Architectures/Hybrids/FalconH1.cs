using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Falcon-H1 (arXiv 2507.22448): Mamba-2 and attention beside each other in every layer, and factors on what they read and make.</summary>
public sealed record FalconH1 : Architecture
{
    private const string States = ".self_attn.mixers.0.", Attention = ".self_attn.mixers.1.";

    /// <inheritdoc/>
    public override string Name => "falcon_h1";

    /// <inheritdoc/>
    public override string ClassName => "FalconH1ForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        // What the library does not read.
        keys.Leave("mamba_use_mlp", "mlp_expansion_factor");
        foreach (string kinds in new[] { "layer_types", "layers_block_type" })
        {
            keys.Require(kinds, node => node is JsonArray list && list.All(kind => kind?.ToString() == "hybrid"), "is not supported; layers are hybrid");
        }

        keys.Require("attn_layer_indices", _ => false, "is not supported; attention is in every layer");
        ModelConfig model = HybridRules.Biases(keys, DecoderKeys.Read(keys, context: 8192, epsilon: 1e-5, theta: 100000, kvHeads: 8));
        if (keys.Flag("projectors_bias", false) != model.Bias)
        {
            throw keys.Fault("projectors_bias", "is not supported where mamba_proj_bias is not the same");
        }

        int expand = keys.Count("mamba_expand", 64, 2);
        int channels = keys.Names.Contains("mamba_d_ssm") ? keys.Count("mamba_d_ssm", 1 << 22, expand * model.Width) : 1024;
        bool normed = keys.Flag("mamba_rms_norm", false), normFirst = keys.Flag("mamba_norm_before_gate", true);
        double[] scales = Factors(keys, "ssm_multipliers", 5), feeding = Factors(keys, "mlp_multipliers", 2);
        Mamba2Config mamba = HybridRules.Mamba2(keys, channels, expand) with
        {
            NormOver = normed ? ChannelNormSpan.Group : ChannelNormSpan.None,
            GateFirst = !normed || !normFirst,
            Scales = new Mamba2Scales { Z = scales[0], X = scales[1], B = scales[2], C = scales[3], Dt = scales[4] },
        };
        double key = keys.Number("key_multiplier", 1);
        return model with
        {
            Mixer = new ParallelConfig
            {
                Mixers = [mamba, new AttentionConfig()],
                Normed = false,
                InputScales = [keys.Number("ssm_in_multiplier", 1), keys.Number("attention_in_multiplier", 1)],
                OutputScales = [keys.Number("ssm_out_multiplier", 1), keys.Number("attention_out_multiplier", 1)],
            },
            FeedForward = DecoderKeys.OnlySilu(keys) with { PreScale = feeding[0], OutputScale = feeding[1] },
            ScoreScale = key == 1 ? 0 : ScoreScale(key, model),
            EmbeddingScale = keys.Number("embedding_multiplier", 1),
            LogitScale = keys.Number("lm_head_multiplier", 1),
        };
    }

    /// <inheritdoc/>
    protected override ModelConfig Meant(ModelConfig model) => DecoderKeys.WithMixers(model, mixer => mixer is not ParallelConfig { Normed: false } both ? mixer : both with
    {
        Mixers = [.. both.Mixers.Select(one => one is Mamba2Config mamba ? Meant(mamba) : one)],
        InputScales = OfAll(both.InputScales, both.Mixers.Count),
        OutputScales = OfAll(both.OutputScales, both.Mixers.Count),
    });

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string theirs = HybridRules.Named(ours.Name);
        return theirs.Contains(States, StringComparison.Ordinal)
            ? HybridRules.OfStates(ours, theirs.Replace(States, ".mamba.", StringComparison.Ordinal))
            : TensorRule.Same(ours, theirs.Replace(Attention, ".self_attn.", StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        var both = model.LayerConfigs()[0].Mixer as ParallelConfig ?? new ParallelConfig();
        Mamba2Config mamba = both.Mixers.OfType<Mamba2Config>().FirstOrDefault() ?? new Mamba2Config();
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        HybridRules.WriteMamba2(mamba, model, keys);
        HybridRules.WriteBiases(model, keys);
        keys["projectors_bias"] = model.Bias;
        keys["mamba_d_ssm"] = mamba.ChannelsFor(model);
        keys["mamba_rms_norm"] = mamba.NormOver != ChannelNormSpan.None;
        keys["mamba_norm_before_gate"] = !mamba.GateFirst;
        keys["ssm_multipliers"] = new JsonArray(mamba.Scales.Z, mamba.Scales.X, mamba.Scales.B, mamba.Scales.C, mamba.Scales.Dt);
        (IReadOnlyList<double> reads, IReadOnlyList<double> makes) = (OfAll(both.InputScales, 2), OfAll(both.OutputScales, 2));
        (keys["ssm_in_multiplier"], keys["attention_in_multiplier"]) = (reads[0], reads[1]);
        (keys["ssm_out_multiplier"], keys["attention_out_multiplier"]) = (makes[0], makes[1]);
        keys["key_multiplier"] = KeyMultiplier(model);
        keys["mlp_multipliers"] = model.FeedForward is DenseConfig dense ? new JsonArray(dense.PreScale, dense.OutputScale) : null;
        keys["embedding_multiplier"] = model.EmbeddingScale;
        keys["lm_head_multiplier"] = model.LogitScale;
        return keys;
    }

    // Without a norm its place says nothing; one group's runs over all channels.
    private static Mamba2Config Meant(Mamba2Config mamba) => mamba.NormOver switch
    {
        ChannelNormSpan.None => mamba with { GateFirst = true },
        ChannelNormSpan.All when mamba.Groups == 1 => mamba with { NormOver = ChannelNormSpan.Group },
        _ => mamba,
    };

    private static IReadOnlyList<double> OfAll(IReadOnlyList<double> scales, int count) => scales.Count > 0 ? scales : [.. Enumerable.Repeat(1.0, count)];

    private static double[] Factors(ForeignConfig keys, string key, int count)
    {
        double[] factors = keys.Numbers(key) ?? [.. Enumerable.Repeat(1.0, count)];
        return factors.Length == count ? factors : throw keys.Fault(key, $"expected {count} factors");
    }

    // A factor on keys is one on scores.
    private static double ScoreScale(double multiplier, ModelConfig model) => multiplier / Math.Sqrt(model.HeadDim);

    // The shortest number that gives the same bits when it is read.
    private static double KeyMultiplier(ModelConfig model)
    {
        if (model.ScoreScale == 0)
        {
            return 1;
        }

        double near = model.ScoreScale * Math.Sqrt(model.HeadDim);
        double[] candidates = [double.Parse(near.ToString("G15", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture), near, Math.BitDecrement(near), Math.BitIncrement(near)];
        return candidates.FirstOrDefault(candidate => ScoreScale(candidate, model) == model.ScoreScale, near);
    }
}
