using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Bamba: layers of Mamba-2, in some of them attention whose heads are turned in part.</summary>
public sealed record Bamba : Architecture
{
    /// <inheritdoc/>
    public override string Name => "bamba";

    /// <inheritdoc/>
    public override string ClassName => "BambaForCausalLM";

    /// <inheritdoc/>
    public override ModelConfig Read(ForeignConfig keys)
    {
        keys.Leave("z_loss_coefficient");
        ModelConfig model = HybridRules.Biases(keys, DecoderKeys.Read(keys, context: 262144, epsilon: 1e-5, kvHeads: 8)) with { FeedForward = DecoderKeys.OnlySilu(keys) };
        int expand = keys.Count("mamba_expand", 64, 2);
        Mamba2Config mamba = HybridRules.Mamba2(keys, expand * model.Width, expand);
        AttentionConfig attention = new() { RopeDim = DecoderKeys.RopeDim(keys, "partial_rotary_factor", model.HeadDim, 0.5) };
        HashSet<double> attends = [.. keys.Numbers("attn_layer_indices") ?? []];
        return DecoderKeys.WithLayers(model, [.. Enumerable.Range(0, model.Layers).Select(layer => new LayerConfig(attends.Contains(layer) ? attention : mamba, model.FeedForward))]);
    }

    /// <inheritdoc/>
    // One group's norm runs over all channels; a share of 1 is all of a head.
    protected override ModelConfig Meant(ModelConfig model) => DecoderKeys.WithMixers(model, mixer => mixer switch
    {
        Mamba2Config { Groups: 1, NormOver: ChannelNormSpan.Group } mamba => mamba with { NormOver = ChannelNormSpan.All },
        AttentionConfig attention when attention.RopeDim == model.HeadDim => attention with { RopeDim = 0 },
        _ => mixer,
    });

    /// <inheritdoc/>
    protected override TensorRule RuleOf(WeightInfo ours, ModelConfig model)
    {
        string theirs = HybridRules.Named(ours.Name);
        return DecoderKeys.LayerOf(ours.Name) is >= 0 and var layer && model.LayerConfigs()[layer].Mixer is Mamba2Config
            ? HybridRules.OfStates(ours, theirs.Replace(".self_attn.", ".mamba.", StringComparison.Ordinal))
            : TensorRule.Same(ours, theirs);
    }

    /// <inheritdoc/>
    protected override JsonObject Keys(ModelConfig model)
    {
        MixerConfig[] mixers = [.. model.LayerConfigs().Select(layer => layer.Mixer)];
        JsonObject keys = DecoderKeys.Write(model);
        keys["hidden_act"] = DecoderKeys.Activation(model.FeedForward);
        HybridRules.WriteMamba2(mixers.OfType<Mamba2Config>().FirstOrDefault() ?? new Mamba2Config(), model, keys);
        HybridRules.WriteBiases(model, keys);
        keys["partial_rotary_factor"] = mixers.OfType<AttentionConfig>().FirstOrDefault() is { RopeDim: > 0 } attention ? (double)attention.RopeDim / model.HeadDim : 1;
        keys["attn_layer_indices"] = new JsonArray([.. mixers.Index().Where(layer => layer.Item is AttentionConfig).Select(layer => (JsonNode)layer.Index)]);
        return keys;
    }
}
