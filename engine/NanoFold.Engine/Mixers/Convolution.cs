using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>A depthwise causal convolution with a gate: y = W_o (conv(W_v x) ⊙ silu(W_g x)). The convolution always has a bias.</summary>
public sealed record ConvolutionConfig : MixerConfig
{
    public static ConvolutionConfig Tiny => new() { Conv = 3 };

    /// <summary>K, the tokens that a token takes of: its own and those just before it.</summary>
    [Bounds(2, 1024)]
    public int Conv { get; init; } = 4;

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new ConvolutionMixer(builder, Conv);
}

internal sealed class ConvolutionMixer : Mixer
{
    private readonly Linear _value;
    private readonly Linear _gate;
    private readonly Parameter _weight;
    private readonly Parameter _bias;
    private readonly Linear _output;
    private readonly ModuleBuilder _builder;
    private readonly int _taps;

    public ConvolutionMixer(ModuleBuilder builder, int taps)
    {
        (_taps, _builder) = (taps, builder.In("self_attn"));
        ModelShape model = builder.Model;
        int width = model.Width;
        _value = _builder.Linear("v_proj", width, width, Initialization.Input(width), model.Bias);
        _gate = _builder.Linear("g_proj", width, width, Initialization.Input(width), model.Bias);
        // Filters of channels, no matrix: not for Muon.
        _weight = _builder.Add("conv1d.weight", Layout.Of(width, taps), ParameterRole.Head, Initialization.Input(taps));
        _bias = _builder.Add("conv1d.bias", Layout.Of(width), ParameterRole.Vector, Initializer.Zero);
        _output = _builder.Linear("o_proj", width, width, Initialization.Output(width, model), model.Bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_v", "B T C"),
        new("attn.hook_conv", "B T C"),
        TapPoint.Gate<Silu>("attn.hook_gate_pre", "B T C"),
        new("attn.hook_z", "B T C"),
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor v = Tap.At(tape, "hook_v", _value.Forward(tape, x)), weight = tape.Use(_weight), bias = tape.Use(_bias);
        Tensor convolved = Tap.At(tape, "hook_conv", context.Cache is { } cache
            ? ConvolutionOp.Decode(tape, v, weight, bias, cache.Use(tape, _builder.Layer, "inputs"), context.Counts, context.Continues())
            : ConvolutionOp.Record(tape, v, weight, bias, context.Continues()));
        Tensor gate = Tap.At(tape, "hook_gate_pre", _gate.Forward(tape, x));
        return _output.Forward(tape, Tap.At(tape, "hook_z", GatedActivationOp<Silu>.Record(tape, gate, convolved)));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [new StateSlot("inputs", Layout.Of(batch, _taps - 1, _builder.Model.Width), _builder.Type, StateStart.Zero)];
}
