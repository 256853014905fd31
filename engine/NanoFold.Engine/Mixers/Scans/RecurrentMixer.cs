using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Mixers;

/// <summary>A recurrent cell between two linear layers: h_t = cell(W_in x_t, W_h h_{t−1} + b_h), y = W_o h.</summary>
/// <typeparam name="TCell">The cell, of one vector of state.</typeparam>
public sealed class RecurrentMixer<TCell> : Mixer
    where TCell : struct, IRecurrentCell
{
    private readonly Linear _input;
    private readonly Linear _state;
    private readonly Linear _output;
    private readonly int _width;
    private readonly int _layer;
    private readonly DType _type;

    /// <param name="builder">Where the parameters are declared.</param>
    /// <param name="state">N.</param>
    /// <param name="inputBias">Whether what the input brings has a bias besides the one of the state's product; a gate may treat the two apart.</param>
    public RecurrentMixer(ModuleBuilder builder, int state, bool inputBias)
    {
        ModelShape model = builder.Model;
        (_width, _layer, _type) = (state, builder.Layer, builder.Type);
        builder = builder.In("self_attn");
        _input = builder.Linear("in_proj", model.Width, TCell.Gates * state, Initialization.Input(model.Width), inputBias);
        _state = builder.Linear("h_proj", state, TCell.Gates * state, Initialization.Input(state), bias: true);
        _output = builder.Linear("o_proj", state, model.Width, Initialization.Output(state, model), model.Bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints => [new("attn.hook_in", $"B T {TCell.Gates * _width}"), new("attn.hook_state", $"B T {_width}")];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor input = Tap.At(tape, "hook_in", _input.Forward(tape, x)), weight = _state.Weight(tape), bias = _state.Bias(tape);
        Tensor states = context.Cache is { } cache
            ? RecurrentOp<TCell>.Decode(tape, input, weight, bias, cache.Use(tape, _layer, "state"), context.Counts, context.Continues())
            : RecurrentOp<TCell>.Record(tape, input, weight, bias, context.Continues()).States;
        return _output.Forward(tape, Tap.At(tape, "hook_state", states));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) => [new StateSlot("state", Layout.Of(batch, _width), _type, StateStart.Zero)];
}
