using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>What the kinds of Mamba have around their states: x, z = W_in h, x ← silu(conv(x)), y = W_out (scan(x) ⊙ silu(z)).</summary>
public abstract class StateSpaceMixer : Mixer
{
    private const string FinalState = "hook_final_state";

    private readonly Linear _input;
    private readonly ShortConvolution _convolution;
    private readonly Linear _output;

    /// <param name="builder">Where the parameters are declared: <c>self_attn</c> of a layer.</param>
    /// <param name="config">Of the model.</param>
    protected StateSpaceMixer(ModuleBuilder builder, MambaConfig config)
    {
        ModelShape model = builder.Model;
        (Builder, Numbers, Channels) = (builder, config.State, config.Expand * model.Width);
        _input = builder.Linear("in_proj", model.Width, 2 * Channels, Initialization.Input(model.Width), config.Bias);
        _convolution = new ShortConvolution(builder, "conv1d", Channels, config.Conv, config.ConvBias);
        Skip = builder.Add("D", Layout.Of(Channels), ParameterRole.Vector, Initializer.One);
        _output = builder.Linear("out_proj", Channels, model.Width, Initialization.Output(Channels, model), config.Bias);
    }

    protected ModuleBuilder Builder { get; }

    protected int Channels { get; }

    /// <summary>N.</summary>
    protected int Numbers { get; }

    /// <summary>[C].</summary>
    protected Parameter Skip { get; }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_x", $"B T {Channels}"),
        .. ScanPoints,
        new("attn.hook_scan", $"B T {Channels}"),
        new($"attn.{FinalState}", $"B 1 {Numbers} {Channels}") { IsReadOnly = true },
        TapPoint.Gate<Silu>("attn.hook_gate_pre", $"B T {Channels}"),
        new("attn.hook_z", $"B T {Channels}"),
    ];

    /// <summary>Points of what the scan is made of.</summary>
    protected virtual IEnumerable<TapPoint> ScanPoints => [];

    public override Tensor Forward(ForwardContext context, Tensor h)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor x = Tap.At(tape, "hook_x", _convolution.Forward(context, Half(tape, h, 0)));
        Tensor scanned = Tap.At(tape, "hook_scan", Scan(context, x));
        Tensor gate = Tap.At(tape, "hook_gate_pre", Half(tape, h, 1));
        return _output.Forward(tape, Tap.At(tape, "hook_z", GatedActivationOp<Silu>.Record(tape, gate, scanned)));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [.. _convolution.State(batch), new StateSlot("state", Layout.Of(batch, Numbers, Channels), Builder.Type.Sum(), StateStart.Zero)];

    /// <summary>x [B, T, C] through the states; decoding goes on from the slot <c>state</c>.</summary>
    protected abstract Tensor Scan(ForwardContext context, Tensor x);

    /// <summary>Shows the state after the last place to readers: while decoding what is kept, otherwise what a walk of its own leaves.</summary>
    /// <param name="context">Of the pass.</param>
    /// <param name="x">[B, T, C].</param>
    /// <param name="walk">Records a scan that goes on from a state [B, N, C] by counts [B] of places, and leaves the state after them there.</param>
    protected void ShowState(ForwardContext context, Tensor x, Action<Tensor, Tensor> walk)
    {
        Tape tape = context.Tape;
        if (!Tap.IsWanted(tape, FinalState))
        {
            return;
        }

        Tensor state;
        if (context.Cache is { } cache)
        {
            state = cache.Use(tape, Builder.Layer, "state");
        }
        else
        {
            state = tape.Record(new ZeroOp(), [], [(Layout.Of(x[0], Numbers, Channels), tape.Type.Sum())])[0];
            walk(state, IntegerRangeOp.Record(tape, [x[0]], axis: 0, start: x[1], step: 0));
        }

        Tap.ReadOnly(tape, FinalState, state.Reshape(x[0], 1, Numbers, Channels));
    }

    // The rows of in_proj are those of x, then those of z.
    private Tensor Half(Tape tape, Tensor h, int half) => _input.Forward(tape, h, half * Channels, Channels);
}
