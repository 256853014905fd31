using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// The matrix memory of xLSTM (arXiv 2405.04517, 2503.13427) with an exponential input gate: C ← σ(f) C + eⁱ k vᵀ, n ← σ(f) n + eⁱ k, y = Cᵀ q / max(|n·q|, 1), of which
/// a running maximum m of the gates is taken out: m ← max(ln σ(f) + m, i). i and f are made of x with biases and level off at <see cref="GateCap"/>; q is divided by √D.
/// LayerNorm without bias of each head, times σ(W_o x). Without positions, whatever the model's are.
/// </summary>
public sealed record MlstmConfig : RecurrentHeadsConfig
{
    public static MlstmConfig Tiny => new() { GateCap = 3 };

    /// <summary>c, at which the gates level off before their exponentials, c · tanh(gate / c); 0 for gates of any size.</summary>
    [Bounds(0)]
    public double GateCap { get; init; } = 15;

    /// <summary>What is added to the divisor of what is read.</summary>
    [Bounds(0, 1)]
    public double Epsilon { get; init; } = 1e-6;

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Mlstm(builder, this, ShapeFor(builder.Model));
}

/// <remarks>Values have one element more, 1, so that the normalizer comes along.</remarks>
internal sealed class Mlstm : RecurrentHeadsMixer
{
    private const string Maximum = "maximum";

    // As in the first paper: states fade over about 20 to 400 tokens at first.
    private const double FirstForget = 3, LastForget = 6;

    private readonly MlstmConfig _config;
    private readonly Linear _inputGate;
    private readonly Linear _forgetGate;
    private readonly Linear _outputGate;
    private readonly Norm _norm;
    private readonly Parameter _gain;

    public Mlstm(ModuleBuilder builder, MlstmConfig config, HeadShape shape)
        : base(
            builder, shape, new RecurrentHeadsParts(Convolution: null, HasNorm: false, HasGate: false),
            new HeadRecurrence(builder, shape.Heads, shape.HeadDim, shape.ValueDim + 1, builder.Model.Parametrization.ScoreScale(shape.HeadDim)))
    {
        (_config, int width, int heads) = (config, Model.Width, shape.Heads);
        _inputGate = Builder.Linear("i_proj", width, heads, Initialization.Input(width), bias: true, ParameterRole.Head);
        _forgetGate = Builder.Linear("f_proj", width, heads, Initialization.Input(width), bias: true, ParameterRole.Head, Initializer.Values(
            [.. Enumerable.Range(0, heads).Select(h => FirstForget + ((LastForget - FirstForget) * h / Math.Max(1, heads - 1)))]));
        _outputGate = Builder.Linear("g_proj", width, shape.OutputWidth, Initialization.Input(width));
        _norm = new Norm(NormKind.Layer, gain: null, bias: null, Model.NormEpsilon);
        _gain = Builder.Add("norm.weight", Layout.Of(shape.OutputWidth), ParameterRole.Vector, Initialization.Gain(Model.NormGainFromOne));
    }

    protected override IReadOnlyList<TapPoint> OwnPoints =>
    [
        new("attn.hook_input_gate", "B T H"),
        new("attn.hook_forget_gate", "B T H"),
        new("attn.hook_maximum", "B T H") { IsReadOnly = true },
        TapPoint.Gate<Sigmoid>("attn.hook_gate_pre", $"B T {Shape.OutputWidth}"),
    ];

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [.. base.State(batch, chunk), new StateSlot(Maximum, Layout.Of(batch, Shape.Heads), Builder.Type.Sum(), StateStart.Zero)];

    /// <summary>ln σ(f), before the maximum is taken out.</summary>
    protected override Tensor Decay(Tape tape, Tensor x) =>
        ActivationOp<LogSigmoid>.Record(tape, Tap.At(tape, "hook_forget_gate", Capped(tape, _forgetGate.Forward(tape, x))));

    /// <summary>i.</summary>
    protected override Tensor Beta(Tape tape, Tensor x) => Tap.At(tape, "hook_input_gate", Capped(tape, _inputGate.Forward(tape, x)));

    protected override Tensor Recur(ForwardContext context, Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta)
    {
        Tape tape = context.Tape;
        (Tensor maximum, Tensor carried) = context.Cache is { } cache
            ? MaxScanOp.Decode(tape, decay, beta, cache.Use(tape, Builder.Layer, Maximum), context.Counts, context.Continues())
            : MaxScanOp.Record(tape, decay, beta, context.Continues());
        Tap.ReadOnly(tape, "hook_maximum", maximum);
        (int b, int t, int h, int width) = (v[0], v[1], v[2], v[3]);
        Tensor kept = DifferenceOf(tape, carried, maximum), written = ActivationOp<Exponential>.Record(tape, DifferenceOf(tape, beta, maximum));
        Tensor read = base.Recur(context, q, MultiplyOp.Record(tape, k, written.Reshape(b, t, h, 1)), WithOneOp.Record(tape, v), kept, default);
        Tensor normalizer = BroadcastOp.Contiguous(tape, read.Slice(3, width, 1)).Reshape(b, t, h);
        Tensor share = StabilizerOp.Record(tape, normalizer, maximum, _config.Epsilon);
        return MultiplyOp.Record(tape, BroadcastOp.Contiguous(tape, read.Slice(3, 0, width)), share.Reshape(b, t, h, 1));
    }

    protected override Tensor Ended(Tape tape, Tensor x, Tensor y)
    {
        int width = Shape.OutputWidth;
        Tensor normed = _norm.Forward(tape, y).Reshape(x[0], x[1], width);
        // A copy first: parameters stay in single precision where activations have 16 bits.
        Tensor gained = MultiplyOp.Record(tape, normed, BroadcastOp.Record(tape, tape.Use(_gain).Reshape(1, 1, width), 1, 1, width));
        Tensor gate = Tap.At(tape, "hook_gate_pre", _outputGate.Forward(tape, x));
        return GatedActivationOp<Sigmoid>.Record(tape, gate, Model.NormGainFromOne ? AddOp.Record(tape, normed, gained) : gained).SplitLast(Shape.Heads);
    }

    private static Tensor DifferenceOf(Tape tape, Tensor a, Tensor b) => AddOp.Record(tape, a, ScaleOp.Record(tape, b, -1));

    private Tensor Capped(Tape tape, Tensor gate) => _config.GateCap > 0 ? CapOp.Record(tape, gate, _config.GateCap) : gate;
}
