using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Mamba (arXiv 2312.00752).</summary>
public sealed record Mamba : StateSpace
{
    /// <inheritdoc/>
    public override string Name => "mamba";

    /// <inheritdoc/>
    public override string ClassName => "MambaForCausalLM";

    /// <inheritdoc/>
    protected override bool TiedByDefault => true;

    /// <inheritdoc/>
    protected override ModelConfig ReadMixer(ForeignConfig keys, ModelConfig model) => model with
    {
        Mixer = new MambaConfig
        {
            State = keys.Integer("state_size", 16),
            Conv = keys.Integer("conv_kernel", 4),
            Expand = Expand(keys, model.Width),
            DtRank = keys.Says("time_step_rank", "auto") ? (model.Width + 15) / 16 : keys.Integer("time_step_rank", (model.Width + 15) / 16),
            Bias = keys.Flag("use_bias", false),
            ConvBias = keys.Flag("use_conv_bias", true),
        },
    };

    /// <inheritdoc/>
    // Linear layers are the mixer's alone, which has a setting of its own.
    protected override ModelConfig Meant(ModelConfig model) => base.Meant(model) with { Bias = false };

    /// <inheritdoc/>
    protected override void WriteMixer(ModelConfig model, JsonObject keys)
    {
        MambaConfig mixer = model.LayerConfigs().Select(layer => layer.Mixer).OfType<MambaConfig>().FirstOrDefault() ?? new MambaConfig { DtRank = 1 };
        keys["state_size"] = mixer.State;
        keys["conv_kernel"] = mixer.Conv;
        keys["expand"] = mixer.Expand;
        keys["intermediate_size"] = mixer.Expand * model.Width;
        keys["time_step_rank"] = mixer.DtRank;
        keys["use_bias"] = mixer.Bias;
        keys["use_conv_bias"] = mixer.ConvBias;
    }
}
