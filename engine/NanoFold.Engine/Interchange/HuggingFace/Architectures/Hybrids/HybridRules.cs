using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>What models share whose layers have several kinds of mixers.</summary>
internal static class HybridRules
{
    private static readonly (string Ours, string Theirs)[] s_names =
        [("model.norm.", "model.final_layernorm."), (".post_attention_layernorm.", ".pre_ff_layernorm."), (".mlp.", ".feed_forward.")];

    /// <summary>A name with the norms and feed-forwards as these models call them.</summary>
    public static string Named(string name) => s_names.Aggregate(name, (made, pair) => made.Replace(pair.Ours, pair.Theirs, StringComparison.Ordinal));

    /// <summary>A parameter of a state space, whose filters have a dimension of 1 there.</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">Its name there.</param>
    public static TensorRule OfStates(WeightInfo ours, string theirs) =>
        ours.Name.EndsWith(".conv1d.weight", StringComparison.Ordinal) ? TensorRule.Same(ours, theirs, [ours.Shape[0], 1, ours.Shape[1]]) : TensorRule.Same(ours, theirs);

    /// <summary>Period and offset of layers that are alike every so many; where no two are, of a period that is longer than the model.</summary>
    /// <param name="chosen">Whether each layer is one of them.</param>
    public static (int Period, int Offset) Period(IReadOnlyList<bool> chosen)
    {
        int[] places = [.. chosen.Index().Where(layer => layer.Item).Select(layer => layer.Index)];
        return places is [var first, var second, ..] ? (second - first, first % (second - first)) : (chosen.Count + 1, places is [var only] ? only : chosen.Count);
    }

    /// <summary>Mamba-2 by the keys of these models.</summary>
    /// <param name="keys">Where they stand.</param>
    /// <param name="channels">Channels of x.</param>
    /// <param name="expand">What is said of how they follow from the width.</param>
    public static Mamba2Config Mamba2(ForeignConfig keys, int channels, int expand)
    {
        int heads = keys.Count("mamba_n_heads", 1 << 16, 128);
        if (channels % heads != 0 || (keys.Has("mamba_d_head") && !keys.Says("mamba_d_head", "auto") && (long)keys.Integer("mamba_d_head") * heads != channels))
        {
            throw keys.Fault("mamba_n_heads", $"{heads} heads{(keys.Has("mamba_d_head") ? " of mamba_d_head" : "")} are not the {channels} channels");
        }

        // How passes are computed, and what steps start with.
        keys.Leave("mamba_chunk_size", "use_mamba_kernels", "num_logits_to_keep", "time_step_min", "time_step_max", "time_step_floor", "time_step_rank");
        (double least, double most) = StepLimits.Read(keys);
        return new Mamba2Config
        {
            State = keys.Integer("mamba_d_state", 256),
            Conv = keys.Integer("mamba_d_conv", 4),
            Expand = expand,
            Channels = channels,
            SsmHeads = heads,
            Groups = keys.Integer("mamba_n_groups", 1),
            ConvBias = keys.Flag("mamba_conv_bias", true),
            StepMin = least,
            StepMax = most,
        };
    }

    /// <summary>The same keys of a model of ours.</summary>
    public static void WriteMamba2(Mamba2Config mixer, ModelConfig model, JsonObject keys)
    {
        int heads = mixer.HeadsFor(model);
        keys["mamba_d_state"] = mixer.State;
        keys["mamba_d_conv"] = mixer.Conv;
        keys["mamba_expand"] = mixer.Expand;
        keys["mamba_n_heads"] = heads;
        keys["mamba_d_head"] = mixer.ChannelsFor(model) / heads;
        keys["mamba_n_groups"] = mixer.Groups;
        keys["mamba_conv_bias"] = mixer.ConvBias;
        StepLimits.Write(mixer, keys);
    }

    /// <summary>Biases by the keys of these models: of the state space's matrices, of attention and of the feed-forward.</summary>
    public static ModelConfig Biases(ForeignConfig keys, ModelConfig model)
    {
        bool attention = keys.Flag("attention_bias", false);
        return model with { Bias = keys.Flag("mamba_proj_bias", false), QkvBias = attention, OutputBias = attention, FeedForwardBias = keys.Flag("mlp_bias", false) };
    }

    /// <summary>The same keys of a model of ours.</summary>
    public static void WriteBiases(ModelConfig model, JsonObject keys)
    {
        DecoderKeys.WriteBiases(model, keys);
        keys["mamba_proj_bias"] = model.Bias;
    }
}
