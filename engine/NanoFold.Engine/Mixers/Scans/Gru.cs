using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// A gated recurrent unit (arXiv 1406.1078, gates r, z, n as in PyTorch): h_t = GRU(W_in x_t + b_in, W_h h_{t−1} + b_h), y = W_o h. Its gates always have biases.
/// </summary>
public sealed record GruConfig : MixerConfig
{
    public static GruConfig Tiny => new();

    /// <summary>N, the width of the state; 0 for model.width.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int State { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override GruConfig Resolve(ModelShape model) => this with { State = State > 0 ? State : model.Width };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new GruMixer(builder, Resolve(builder.Model).State);
}

internal sealed class GruMixer : Mixer
{
    private readonly Linear _input;
    private readonly Parameter _weight;
    private readonly Parameter _bias;
    private readonly Linear _output;
    private readonly int _state;
    private readonly int _layer;
    private readonly DType _type;

    public GruMixer(ModuleBuilder builder, int state)
    {
        ModelShape model = builder.Model;
        (_state, _layer, _type) = (state, builder.Layer, builder.Type);
        builder = builder.In("self_attn");
        _input = new Linear(builder, "in_proj", model.Width, Gru.Gates * state, Initialization.Input(model.Width), bias: true);
        _weight = builder.Add("h_proj.weight", Layout.Of(Gru.Gates * state, state), ParameterRole.Matrix, Initialization.Input(state));
        _bias = builder.Add("h_proj.bias", Layout.Of(Gru.Gates * state), ParameterRole.Vector, Initializer.Zero);
        _output = new Linear(builder, "o_proj", state, model.Width, Initialization.Output(state, model), model.Bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints => [new("attn.hook_in", $"B T {Gru.Gates * _state}"), new("attn.hook_state", $"B T {_state}")];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor input = Tap.At(tape, "hook_in", _input.Forward(tape, x)), weight = tape.Use(_weight), bias = tape.Use(_bias);
        Tensor states = context.Cache is { } cache
            ? RecurrentOp<Gru>.Decode(tape, input, weight, bias, cache.Use(tape, _layer, "state"), context.Counts, context.Continues())
            : RecurrentOp<Gru>.Record(tape, input, weight, bias, context.Continues()).States;
        return _output.Forward(tape, Tap.At(tape, "hook_state", states));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) => [new StateSlot("state", Layout.Of(batch, _state), _type, StateStart.Zero)];
}
