using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Mamba-2 (arXiv 2405.21060): the gated norm runs over all channels, also where there are several groups.</summary>
public sealed record Mamba2 : StateSpace
{
    /// <inheritdoc/>
    public override string Name => "mamba2";

    /// <inheritdoc/>
    public override string ClassName => "Mamba2ForCausalLM";

    /// <inheritdoc/>
    protected override bool TiedByDefault => false;

    /// <inheritdoc/>
    protected override ModelConfig ReadMixer(ForeignConfig keys, ModelConfig model)
    {
        int heads = keys.Count("num_heads", 1 << 16, 128), width = keys.Integer("head_dim", 64), expand = Expand(keys, model.Width);
        if ((long)heads * width != (long)expand * model.Width)
        {
            throw keys.Fault("num_heads", $"{heads} heads of {width} are not the {(long)expand * model.Width} channels that expand and hidden_size make");
        }

        // Of the rank that the first Mamba has nothing is made.
        keys.Leave("time_step_rank");
        (double least, double most) = StepLimits.Read(keys);
        return model with
        {
            Bias = keys.Flag("use_bias", false),
            Mixer = new Mamba2Config
            {
                State = keys.Integer("state_size", 128),
                Conv = keys.Integer("conv_kernel", 4),
                Expand = expand,
                SsmHeads = heads,
                Groups = keys.Integer("n_groups", 8),
                StepMin = least,
                StepMax = most,
                ConvBias = keys.Flag("use_conv_bias", true),
            },
        };
    }

    /// <inheritdoc/>
    protected override void WriteMixer(ModelConfig model, JsonObject keys)
    {
        Mamba2Config mixer = model.LayerConfigs().Select(layer => layer.Mixer).OfType<Mamba2Config>().FirstOrDefault() ?? new Mamba2Config();
        int heads = mixer.HeadsFor(model);
        keys["state_size"] = mixer.State;
        keys["conv_kernel"] = mixer.Conv;
        keys["expand"] = mixer.Expand;
        keys["num_heads"] = heads;
        keys["head_dim"] = mixer.ChannelsFor(model) / heads;
        keys["n_groups"] = mixer.Groups;
        keys["rms_norm"] = true;
        keys["use_bias"] = model.Bias;
        keys["use_conv_bias"] = mixer.ConvBias;
        StepLimits.Write(mixer, keys);
    }
}
