using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// A learned matrix over time for each group of channels (MLP-Mixer, arXiv 2105.01601, made causal): y = W_o (M v) with v = W_v x and M [T, T] lower-triangular. It
/// knows places, not distances: a text at another place is mixed by other weights. Its parameters grow with the square of the context.
/// </summary>
public sealed record MlpMixerConfig : MixerConfig
{
    public static MlpMixerConfig Tiny => new() { Groups = 2 };

    /// <summary>Matrices, each for an equal share of the channels; 0 for model.heads.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int Groups { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { IsShiftInvariant = false };

    /// <inheritdoc/>
    public override MlpMixerConfig Resolve(ModelShape model) => this with { Groups = Groups > 0 ? Groups : model.Heads };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        int groups = Resolve(model).Groups;
        if (model.Width % groups != 0)
        {
            yield return new ConfigProblem($"{path}.groups", $"{groups} is no divisor of model.width = {model.Width}");
        }
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new MlpMixer(builder, Resolve(builder.Model).Groups);
}

internal sealed class MlpMixer : Mixer
{
    private readonly ModuleBuilder _builder;
    private readonly Linear _value;
    private readonly Parameter _mix;
    private readonly Linear _output;

    public MlpMixer(ModuleBuilder builder, int groups)
    {
        _builder = builder.In("self_attn");
        ModelShape model = builder.Model;
        _value = _builder.Linear("v_proj", model.Width, model.Width, Initialization.Input(model.Width), model.Bias);
        // Weights of places, no map between features: not for Muon.
        _mix = _builder.Add("mix", Layout.Of(groups, model.Context, model.Context), ParameterRole.Head, Initialization.Input(model.Context), GrowthKind.None);
        _output = _builder.Linear("o_proj", model.Width, model.Width, Initialization.Output(model.Width, model), model.Bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints => [new("attn.hook_v", "B T C"), new("attn.hook_z", "B T C")];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor v = Tap.At(tape, "hook_v", _value.Forward(tape, x)), mix = tape.Use(_mix);
        Tensor mixed = context.Cache is { } cache
            ? MixStepOp.Record(tape, mix, v, cache.Use(tape, _builder.Layer, "values"), context.Positions, context.Counts)
            : CausalMixOp.Record(tape, mix, v, context.Continues());
        return _output.Forward(tape, Tap.At(tape, "hook_z", mixed));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [new StateSlot("values", Layout.Of(batch, _builder.Model.Context, _builder.Model.Width), _builder.Type, StateStart.Kept) { TokensPerEntry = 1 }];
}
