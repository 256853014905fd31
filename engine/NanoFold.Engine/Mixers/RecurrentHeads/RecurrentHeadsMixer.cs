using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>What a kind of recurrent heads has beside its projections.</summary>
/// <param name="Convolution">Width of the short convolutions with silu on q, k and v, 0 for silu alone; null for neither.</param>
/// <param name="HasNorm">RMSNorm with one gain [DV] on what each head gives.</param>
/// <param name="HasGate">That times silu(g_proj x).</param>
public sealed record RecurrentHeadsParts(int? Convolution, bool HasNorm, bool HasGate)
{
    /// <summary>Whether the gain of that norm is 1 + g; null for what the model says.</summary>
    public bool? NormGainFromOne { get; init; }
}

/// <summary>
/// What kinds of recurrent heads share: projections q [H·D, C], k [G·D, C], v [G·DV, C], o [C, H·DV], optional QK-norm, the recurrence, norm and gate. Keys and values
/// of G below H serve several query heads each. A variant changes queries and keys (<see cref="Normed"/>, <see cref="Feature"/>), and says how states fade (<see cref="Decay"/>) and are
/// written to (<see cref="Beta"/>); some end in another way (<see cref="Ended"/>).
/// </summary>
public abstract class RecurrentHeadsMixer : Mixer
{
    private readonly Projection _query;
    private readonly Projection _key;
    private readonly Projection _value;
    private readonly HeadNorm? _queryNorm;
    private readonly HeadNorm? _keyNorm;
    private readonly Norm? _norm;
    private readonly Linear? _gate;
    private readonly Linear _output;
    private readonly HeadRecurrence _recurrence;

    protected RecurrentHeadsMixer(ModuleBuilder builder, HeadShape shape, RecurrentHeadsParts parts, HeadRecurrence? recurrence = null)
        : this(builder, shape, (shape.Heads, shape.KvHeads, shape.KvHeads), parts, recurrence)
    {
    }

    /// <param name="builder">The layer's.</param>
    /// <param name="shape">Of the heads.</param>
    /// <param name="heads">Heads that are projected: queries, keys, values.</param>
    /// <param name="parts">What there is beside projections.</param>
    /// <param name="recurrence">Where it is another than that of the shape.</param>
    protected RecurrentHeadsMixer(ModuleBuilder builder, HeadShape shape, (int Query, int Key, int Value) heads, RecurrentHeadsParts parts, HeadRecurrence? recurrence = null)
    {
        (Model, Shape, Builder) = (builder.Model, shape, builder.In("self_attn"));
        int width = Model.Width;
        _query = new Projection(Builder, "q", heads.Query, shape.HeadDim, parts.Convolution);
        _key = new Projection(Builder, "k", heads.Key, shape.HeadDim, parts.Convolution);
        _value = new Projection(Builder, "v", heads.Value, shape.ValueDim, parts.Convolution);
        _queryNorm = HeadNorm.Of(Builder, "q_norm", heads.Query, shape.HeadDim, shape.QkNorm);
        _keyNorm = HeadNorm.Of(Builder, "k_norm", heads.Key, shape.HeadDim, shape.QkNorm);

        _gate = parts.HasGate ? Builder.Linear("g_proj", width, shape.OutputWidth, Initialization.Input(width)) : null;
        _norm = parts.HasNorm ? Builder.Norm("o_norm", shape.ValueDim, NormKind.Rms, GrowthKind.None, gainFromOne: parts.NormGainFromOne) : null;
        _output = Builder.Linear("o_proj", shape.OutputWidth, width, Initialization.Output(shape.OutputWidth, Model), Model.OutputBias ?? Model.Bias);
        _recurrence = recurrence ?? new HeadRecurrence(Builder, shape.Heads, shape.HeadDim, shape.ValueDim, Model.Parametrization.ScoreScale(shape.HeadDim));
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        .. _queryNorm?.Points($"{_query.Heads}", _query.Heads * Shape.HeadDim) ?? [],
        .. _keyNorm?.Points($"{_key.Heads}", _key.Heads * Shape.HeadDim) ?? [],
        new("attn.hook_q", $"B T {_query.Heads} D"),
        new("attn.hook_k", $"B T {_key.Heads} D"),
        new("attn.hook_v", $"B T {_value.Heads} {Shape.ValueLetter}"),
        .. OwnPoints,
        _recurrence.Point,
        .. _gate is null ? Array.Empty<TapPoint>() : [TapPoint.Gate<Silu>("attn.hook_gate_pre", $"B T H {Shape.ValueLetter}")],
        new("attn.hook_z", $"B T H {Shape.ValueLetter}"),
    ];

    protected ModelShape Model { get; }

    protected HeadShape Shape { get; }

    protected ModuleBuilder Builder { get; }

    /// <summary>Points of decays and the like.</summary>
    protected virtual IReadOnlyList<TapPoint> OwnPoints => [];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor q = _query.Forward(context, x), k = _key.Forward(context, x), v = _value.Forward(context, x);
        if (_queryNorm is not null)
        {
            q = _queryNorm.Forward(tape, q);
            k = _keyNorm!.Forward(tape, k);
        }

        q = Tap.At(tape, "hook_q", Normed(tape, q));
        k = Tap.At(tape, "hook_k", Normed(tape, k));
        v = Tap.At(tape, "hook_v", v);
        Tensor y = Recur(context, Feature(context, q), Repeated(tape, Feature(context, k), q[2]), Repeated(tape, v, Shape.Heads), Decay(tape, x), Beta(tape, x));
        y = Tap.At(tape, "hook_z", Ended(tape, x, y));
        return _output.Forward(tape, y.Reshape(x[0], x[1], Shape.OutputWidth));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [_recurrence.State(batch), .. _query.State(batch), .. _key.State(batch), .. _value.State(batch)];

    /// <summary>Queries or keys [B, T, .., D] as their points show them.</summary>
    protected virtual Tensor Normed(Tape tape, Tensor x) => x;

    /// <summary>What becomes of queries or keys after their points.</summary>
    protected virtual Tensor Feature(ForwardContext context, Tensor x) => x;

    /// <summary>Logarithms of the decays: none, [H], [B, T, H] or [B, T, H, D].</summary>
    protected virtual Tensor Decay(Tape tape, Tensor x) => default;

    /// <summary>β of the delta rule [B, T, H], or none.</summary>
    protected virtual Tensor Beta(Tape tape, Tensor x) => default;

    /// <summary>What the heads give, [B, T, H, DV].</summary>
    protected virtual Tensor Recur(ForwardContext context, Tensor q, Tensor k, Tensor v, Tensor decay, Tensor beta) =>
        _recurrence.Run(context, q, k, v, decay, beta);

    /// <summary>What is made of what the heads give before it goes to the stream, [B, T, H, DV] of the same.</summary>
    protected virtual Tensor Ended(Tape tape, Tensor x, Tensor y)
    {
        y = _norm?.Forward(tape, y) ?? y;
        return _gate is null ? y : GatedActivationOp<Silu>.Record(tape, Tap.At(tape, "hook_gate_pre", _gate.Forward(tape, x).SplitLast(Shape.Heads)), y);
    }

    // Each head as often as it serves others.
    private static Tensor Repeated(Tape tape, Tensor x, int heads)
    {
        (int b, int t, int own, int d) = (x[0], x[1], x[2], x[3]);
        return own == heads ? x : BroadcastOp.Record(tape, x.Reshape(b, t, own, 1, d), b, t, own, heads / own, d).Reshape(b, t, heads, d);
    }

    /// <summary>x W, convolved where the kind does that, as heads.</summary>
    private sealed class Projection(ModuleBuilder builder, string letter, int heads, int headDim, int? convolution)
    {
        private readonly Linear _linear = builder.Linear(
            $"{letter}_proj", builder.Model.Width, heads * headDim, Initialization.Input(builder.Model.Width), builder.Model.QkvBias ?? builder.Model.Bias);

        private readonly ShortConvolution? _convolution = convolution is { } taps ? new(builder, $"{letter}_conv1d", heads * headDim, taps, bias: false) : null;

        public int Heads => heads;

        public Tensor Forward(ForwardContext context, Tensor x)
        {
            Tensor y = _linear.Forward(context.Tape, x);
            return (_convolution?.Forward(context, y) ?? y).SplitLast(heads);
        }

        public IEnumerable<StateSlot> State(int batch) => _convolution?.State(batch) ?? [];
    }
}
