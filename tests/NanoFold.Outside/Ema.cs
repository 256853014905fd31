using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace Outside;

/// <summary>A moving average of each channel, h_t = a ⊙ h_{t−1} + v_t with a between 0 and slowest, learned, and y = W_o h.</summary>
public sealed record EmaConfig : MixerConfig
{
    /// <summary>What a channel keeps from one token to the next at most.</summary>
    [Bounds(0, 1, AboveMinimum = true)]
    public double Slowest { get; init; } = 0.95;

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new EmaMixer(builder, Slowest);
}

internal sealed class EmaMixer : Mixer
{
    private readonly ModuleBuilder _builder;
    private readonly double _slowest;
    private readonly Linear _value;
    private readonly Linear _output;
    private readonly Parameter _keep;

    public EmaMixer(ModuleBuilder builder, double slowest)
    {
        _builder = builder.In("self_attn");
        _slowest = slowest;
        int width = builder.Model.Width;
        _value = _builder.Linear("v_proj", width, width, Initialization.Input(width));
        _output = _builder.Linear("o_proj", width, width, Initialization.Output(width, builder.Model));
        _keep = _builder.Add("keep", Layout.Of(width), ParameterRole.Vector, Initializer.One);
    }

    public override IReadOnlyList<TapPoint> TapPoints => [new("attn.hook_v", "B T C"), new("attn.hook_z", "B T C")];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor v = Tap.At(tape, "hook_v", _value.Forward(tape, x));
        // A copy first: parameters stay in single precision where activations have 16 bits.
        Tensor keep = BroadcastOp.Record(tape, tape.Use(_keep).Reshape(1, 1, x[2]), 1, 1, x[2]);
        Tensor a = ScaleOp.Record(tape, ActivationOp<Sigmoid>.Record(tape, keep), _slowest);
        Tensor h = context.Cache is { } cache
            ? ScanOp.Decode(tape, a, v, cache.Use(tape, _builder.Layer, "sum"), context.Counts, context.Continues())
            : ScanOp.Record(tape, a, v, context.Continues()).States;
        return _output.Forward(tape, Tap.At(tape, "hook_z", h));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [new StateSlot("sum", Layout.Of(batch, _builder.Model.Width), _builder.Type.Sum(), StateStart.Zero)];
}
