using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// The recurrent block of Griffin (arXiv 2402.19427): y = W_out (h ⊙ gelu(W_y x)) with the real-gated linear recurrent unit over u = conv(W_x x):
/// h ← a ⊙ h + √(1 − a²) ⊙ σ(i) ⊙ u, a = e^(−8 softplus(λ) ⊙ σ(r)), where i and r are made of u by matrices of blocks. Where a row or a document begins, the root is 1.
/// Convolution and gates always have biases.
/// </summary>
public sealed record RgLruConfig : MixerConfig
{
    public static RgLruConfig Tiny => new() { Conv = 3, Blocks = 2 };

    /// <summary>N, the width of the state; 0 for model.width.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int State { get; init; }

    /// <summary>Blocks on the diagonal of the two matrices that make the gates; 0 for model.heads.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int Blocks { get; init; }

    /// <summary>K, the tokens that the convolution takes of: its own and those just before it.</summary>
    [Bounds(1, 1024)]
    public int Conv { get; init; } = 4;

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override RgLruConfig Resolve(ModelShape model) => this with { State = State > 0 ? State : model.Width, Blocks = Blocks > 0 ? Blocks : model.Heads };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        RgLruConfig own = Resolve(model);
        if (own.State % own.Blocks != 0)
        {
            yield return new ConfigProblem($"{path}.blocks", $"{own.Blocks} does not divide the {own.State} elements of the state, {path}.state");
        }
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new RgLru(builder.In("self_attn"), Resolve(builder.Model));
}

internal sealed class RgLru : Mixer
{
    // Of the paper: how much faster than σ(r) = 1/8 a state fades at most, and the decays that it starts between.
    private const double Power = 8, LeastDecay = 0.9, MostDecay = 0.999;

    private readonly ModuleBuilder _builder;
    private readonly Linear _gate;
    private readonly Linear _input;
    private readonly ShortConvolution _convolution;
    private readonly BlockGate _inputGate;
    private readonly BlockGate _recurrentGate;
    private readonly Parameter _rate;
    private readonly Linear _output;
    private readonly int _width;

    public RgLru(ModuleBuilder builder, RgLruConfig config)
    {
        ModelShape model = builder.Model;
        (_builder, _width) = (builder, config.State);
        _gate = builder.Linear("y_proj", model.Width, _width, Initialization.Input(model.Width), model.Bias);
        _input = builder.Linear("x_proj", model.Width, _width, Initialization.Input(model.Width), model.Bias);
        _convolution = new ShortConvolution(builder, "conv1d", _width, config.Conv, bias: true, activates: false);
        _inputGate = new BlockGate(builder.In("input_gate"), _width, config.Blocks);
        _recurrentGate = new BlockGate(builder.In("recurrent_gate"), _width, config.Blocks);
        _rate = builder.Add("lambda", Layout.Of(_width), ParameterRole.Vector, Initializer.StepOfLogUniform(-Math.Log(MostDecay) / Power, -Math.Log(LeastDecay) / Power));
        _output = builder.Linear("out_proj", _width, model.Width, Initialization.Output(_width, model), model.Bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_x", $"B T {_width}"),
        new("attn.hook_input_gate_pre", $"B T {_width}"),
        new("attn.hook_recurrent_gate_pre", $"B T {_width}"),
        new("attn.hook_decay", $"B T {_width}"),
        new("attn.hook_state", $"B T {_width}"),
        TapPoint.Gate<GeluTanh>("attn.hook_gate_pre", $"B T {_width}"),
        new("attn.hook_z", $"B T {_width}"),
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor u = Tap.At(tape, "hook_x", _convolution.Forward(context, _input.Forward(tape, x)));
        Tensor input = Tap.At(tape, "hook_input_gate_pre", _inputGate.Forward(tape, u)), recurrent = Tap.At(tape, "hook_recurrent_gate_pre", _recurrentGate.Forward(tape, u));
        // A copy first: parameters stay in single precision where activations have 16 bits.
        Tensor rate = ScaleOp.Record(tape, ActivationOp<Softplus>.Record(tape, BroadcastOp.Record(tape, tape.Use(_rate).Reshape(1, 1, _width), 1, 1, _width)), -Power);
        Tensor decay = Tap.At(tape, "hook_decay", MultiplyOp.Record(tape, ActivationOp<Sigmoid>.Record(tape, recurrent), rate));
        Tensor scale = InputScaleOp.Record(tape, decay, Continues(context));
        Tensor written = MultiplyOp.Record(tape, GatedActivationOp<Sigmoid>.Record(tape, input, u), scale), factor = ActivationOp<Exponential>.Record(tape, decay);
        Tensor h = context.Cache is { } cache
            ? ScanOp.Decode(tape, factor, written, cache.Use(tape, _builder.Layer, "state"), context.Counts, context.Continues())
            : ScanOp.Record(tape, factor, written, context.Continues()).States;
        h = Tap.At(tape, "hook_state", h);
        Tensor gate = Tap.At(tape, "hook_gate_pre", _gate.Forward(tape, x));
        return _output.Forward(tape, Tap.At(tape, "hook_z", GatedActivationOp<GeluTanh>.Record(tape, gate, h)));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [.. _convolution.State(batch), new StateSlot("state", Layout.Of(batch, _width), _builder.Type.Sum(), StateStart.Zero)];

    // Also where it says no more than that rows begin at their first token.
    private static Tensor Continues(ForwardContext context) => context.Continues() is { IsNone: false } given
        ? given
        : context.Once("beginnings of rows", () => ContinuationOp.Record(context.Tape, context.Batch, context.Time));

    /// <summary>u W + b with a matrix W [N / blocks, N / blocks] for each block of channels, as <c>weight</c> [blocks, in, out] and <c>bias</c> [blocks, out].</summary>
    private sealed class BlockGate(ModuleBuilder builder, int width, int blocks)
    {
        private readonly Parameter _weight =
            builder.Add("weight", Layout.Of(blocks, width / blocks, width / blocks), ParameterRole.Head, Initialization.Input(width / blocks), GrowthKind.None);

        private readonly Parameter _bias = builder.Add("bias", Layout.Of(blocks, width / blocks), ParameterRole.Vector, Initializer.Zero);

        public Tensor Forward(Tape tape, Tensor u)
        {
            (int b, int t, int d) = (u[0], u[1], width / blocks);
            Tensor rows = BroadcastOp.Contiguous(tape, u.SplitLast(blocks).Permute(2, 0, 1, 3)).Reshape(blocks, b * t, d);
            Tensor made = MatMulOp.Record(tape, rows, Linear.Widened(tape, tape.Use(_weight)), sequencesInRows: true);
            Tensor gates = BroadcastOp.Contiguous(tape, made.Reshape(blocks, b, t, d).Permute(1, 2, 0, 3)).Reshape(b, t, width);
            return AddOp.Record(tape, gates, BroadcastOp.Record(tape, tape.Use(_bias).Reshape(1, 1, width), b, t, width));
        }
    }
}
