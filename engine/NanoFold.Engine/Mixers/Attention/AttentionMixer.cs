using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// What all kinds of attention share: projections q [H·D, C], k [G·D, C], v [G·DV, C], o [C, H·DV], optional QK-norm, rotary positions, sink logits, the cache.
/// A variant narrows what a query sees (<see cref="Window"/>), changes how it attends (<see cref="Attend"/>, or the ways of it), or passes values through
/// <see cref="OnQueries"/> and its kin.
/// </summary>
public class AttentionMixer : Mixer
{
    // Points at which a gradient of turned queries or keys comes to be.
    private static readonly string[] s_ofTurned = ["hook_rot_q", "hook_rot_k", "hook_attn_scores", "hook_pattern"];

    private readonly Linear _query;
    private readonly Linear _key;
    private readonly Linear _value;
    private readonly Linear _output;
    private readonly HeadNorm? _queryNorm;
    private readonly HeadNorm? _keyNorm;
    private readonly Rotary? _rotary;
    private readonly Parameter? _sinks;
    private readonly int _layer;

    /// <param name="builder">Of the layer.</param>
    /// <param name="shape">Of the heads.</param>
    /// <param name="sinkLogits">Whether each head has a learned score that joins every row and has no value.</param>
    public AttentionMixer(ModuleBuilder builder, HeadShape shape, bool sinkLogits = false)
    {
        Model = builder.Model;
        Shape = shape;
        Builder = builder.In("self_attn");
        _layer = builder.Layer;
        int width = Model.Width;
        _query = Builder.Linear("q_proj", width, shape.QueryWidth, Initialization.Input(width), Model.QkvBias ?? Model.Bias);
        _key = Builder.Linear("k_proj", width, shape.KeyWidth, Initialization.Input(width), Model.QkvBias ?? Model.Bias);
        _value = Builder.Linear("v_proj", width, shape.ValueWidth, Initialization.Input(width), Model.QkvBias ?? Model.Bias);
        _output = Builder.Linear("o_proj", shape.OutputWidth, width, Initialization.Output(shape.OutputWidth, Model), Model.OutputBias ?? Model.Bias);
        _queryNorm = HeadNorm.Of(Builder, "q_norm", shape.Heads, shape.HeadDim, shape.QkNorm);
        _keyNorm = HeadNorm.Of(Builder, "k_norm", shape.KvHeads, shape.HeadDim, shape.QkNorm);
        _rotary = shape.RopeDim > 0 ? new Rotary(Builder, shape.RopeDim, shape.RopeBase, shape.RopeScaling) : null;
        _sinks = sinkLogits ? Builder.Add("sinks", Layout.Of(shape.Heads), ParameterRole.Vector, Initializer.Zero) : null;
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        .. ShapedPoints,
        new("attn.hook_v", $"B T G {Shape.ValueLetter}"),
        .. HasScores ? [new TapPoint("attn.hook_attn_scores", "B H T T")] : Array.Empty<TapPoint>(),
        new("attn.hook_pattern", "B H T T"),
        new("attn.hook_z", $"B T H {Shape.ValueLetter}"),
    ];

    /// <summary>Points of queries and keys: their norms, themselves, and turned by their positions.</summary>
    protected IReadOnlyList<TapPoint> ShapedPoints =>
    [
        .. _queryNorm?.Points("H", Shape.QueryWidth) ?? [],
        .. _keyNorm?.Points("G", Shape.KeyWidth) ?? [],
        new("attn.hook_q", "B T H D"),
        new("attn.hook_k", "B T G D"),
        .. _rotary is null ? Array.Empty<TapPoint>() : [new("attn.hook_rot_q", "B T H D"), new("attn.hook_rot_k", "B T G D")],
    ];

    protected ModelShape Model { get; }

    protected HeadShape Shape { get; }

    protected ModuleBuilder Builder { get; }

    /// <summary>Whether weights are the softmax of products over all that a query sees, so that scores have a point.</summary>
    protected virtual bool HasScores => _sinks is null;

    /// <summary>Whether keys and values may be kept in 16 bits: not where keys are chosen by what they are.</summary>
    protected virtual bool RoundsCache => true;

    /// <summary>Keys closer than this are seen, of those that the model shows; 0 for all.</summary>
    protected virtual int Window => 0;

    /// <summary>First keys that stay visible outside of the window.</summary>
    protected virtual int Sinks => 0;

    /// <summary>
    /// Whether queries and keys are what projections and positions make of them, and only <see cref="Fused"/> of this class reads them: then a product may turn them. A variant that changes neither
    /// says so.
    /// </summary>
    protected virtual bool IsPlain => GetType() == typeof(AttentionMixer);

    /// <summary>Factor on the scores, see <see cref="ModelShape.ScoreScaleFor"/>.</summary>
    protected double Scale => Model.ScoreScaleFor(Shape.HeadDim);

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        AttentionInput input = Rotated(context, x) ?? Composed(context, x);
        Tensor z = Tap.At(tape, "hook_z", OnHeads(tape, x, Attend(context, input)));
        return OnOutput(tape, x, _output.Forward(tape, z.Reshape(x[0], x[1], Shape.OutputWidth)));
    }

    // Projections, norms and turns as ops of their own.
    private AttentionInput Composed(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor[] made = JoinedLinear.Forward(context, x, _query, _key, _value);
        Tensor q = made[0].SplitLast(Shape.Heads), k = made[1].SplitLast(Shape.KvHeads), v = made[2].SplitLast(Shape.ValueHeads);
        if (_queryNorm is not null)
        {
            q = _queryNorm.Forward(tape, q);
            k = _keyNorm!.Forward(tape, k);
        }

        // After the norms: they would divide a gate per head out again.
        q = Tap.At(tape, "hook_q", OnQueries(tape, x, q));
        k = Tap.At(tape, "hook_k", OnKeys(tape, x, k));
        v = Tap.At(tape, "hook_v", OnValues(tape, x, v));
        if (_rotary is not null)
        {
            q = Tap.At(tape, "hook_rot_q", _rotary.Forward(context, q));
            k = Tap.At(tape, "hook_rot_k", _rotary.Forward(context, k));
        }

        return new AttentionInput(x, q, k, v, Terms(context, x));
    }

    // The turn as part of the joined projections, and on the way back of attention. Turned queries and keys are read as they stand; where others are wanted or edited, or a gradient of theirs
    // is, all is composed.
    private AttentionInput? Rotated(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        if (_rotary is null || _queryNorm is not null || !IsPlain || !RotaryLinearOp.IsWorthwhile(tape.Backend) || Tap.IsWanted(tape, "hook_q") || Tap.IsWanted(tape, "hook_k")
            || s_ofTurned.Any(point => Tap.IsReplaced(tape, point)) || !JoinedLinear.TryJoin(context, [_query, _key, _value], out Tensor weight, out Tensor bias))
        {
            return null;
        }

        RotaryPositions rotary = _rotary.PositionsOf(context);
        Tensor made = RotaryLinearOp.Record(tape, x, weight, bias, Shape.Heads + Shape.KvHeads, Shape.HeadDim, rotary);
        Tensor q = made.Slice(2, 0, Shape.QueryWidth).SplitLast(Shape.Heads), k = made.Slice(2, Shape.QueryWidth, Shape.KeyWidth).SplitLast(Shape.KvHeads);
        Tensor v = Tap.At(tape, "hook_v", made.Slice(2, Shape.QueryWidth + Shape.KeyWidth, Shape.ValueWidth).SplitLast(Shape.ValueHeads));
        Tap.ReadOnly(tape, "hook_rot_q", q);
        Tap.ReadOnly(tape, "hook_rot_k", k);
        return new AttentionInput(x, q, k, v, Terms(context, x)) { Rotary = rotary };
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk)
    {
        int capacity = Capacity(chunk);
        return
        [
            new StateSlot("keys", Layout.Of(batch, capacity, Shape.KvHeads, Shape.HeadDim), Builder.Type, StateStart.Kept) { TokensPerEntry = 1, MayRound = RoundsCache },
            new StateSlot("values", Layout.Of(batch, capacity, Shape.ValueHeads, Shape.ValueDim), Builder.Type, StateStart.Kept) { TokensPerEntry = 1, MayRound = RoundsCache },
        ];
    }

    /// <summary>Tokens that a cache has room for.</summary>
    protected int Capacity(int chunk)
    {
        // A window needs itself, the chunk that is written before it is read, and the sinks. Without positions it goes on beyond the context.
        int window = Sinks + Window + chunk - 1;
        return Window == 0 ? Model.Context : _rotary is null && Model.Position != PositionKind.Learned ? window : Math.Min(Model.Context, window);
    }

    /// <summary>What scores get besides products.</summary>
    protected virtual ScoreTerms Terms(ForwardContext context, Tensor x) => new(default, _sinks is null ? default : context.Tape.Use(_sinks)) { Cap = Model.ScoreCap };

    protected virtual Tensor OnQueries(Tape tape, Tensor x, Tensor q) => q;

    protected virtual Tensor OnKeys(Tape tape, Tensor x, Tensor k) => k;

    protected virtual Tensor OnValues(Tape tape, Tensor x, Tensor v) => v;

    /// <summary>The heads' results [B, T, H, DV], before the output projection.</summary>
    protected virtual Tensor OnHeads(Tape tape, Tensor x, Tensor z) => z;

    protected virtual Tensor OnOutput(Tape tape, Tensor x, Tensor y) => y;

    /// <summary>
    /// What queries take of values by keys: [B, T, H, DV]. From the cache while decoding; with the weights written out where <c>hook_pattern</c> is
    /// wanted; otherwise without them.
    /// </summary>
    protected virtual Tensor Attend(ForwardContext context, AttentionInput input)
    {
        Tape tape = context.Tape;
        if (context.Cache is { } cache)
        {
            Tap.RefuseWhileDecoding(tape, "hook_attn_scores", "hook_pattern");
            return Cached(context, input, new AttentionCache(cache.Use(tape, _layer, "keys"), cache.Use(tape, _layer, "values")));
        }

        Tensor scored = HasScores ? Scored(tape, input.Q, input.K, input.V, Scale, Seen(context), input.Terms.Cap) : default;
        if (!scored.IsNone)
        {
            return scored;
        }

        Tensor edited = Tap.At(tape, "hook_pattern", () => Pattern(context, input), rows => PatternRows(context, input, rows));
        return edited.IsNone ? Fused(context, input) : AttentionOp.Weigh(tape, edited, input.V);
    }

    /// <summary>Attends with the scores written out, where <c>hook_attn_scores</c> is wanted; none where it is not.</summary>
    internal static Tensor Scored(Tape tape, Tensor q, Tensor k, Tensor v, double scale, Visibility seen, double cap)
    {
        Tensor scores = Tap.At(tape, "hook_attn_scores", () => AttentionOp.Scores(tape, q, k, scale, seen, cap));
        if (scores.IsNone)
        {
            return default;
        }

        Tensor made = SoftmaxOp.Record(tape, scores, 1, seen), pattern = Tap.At(tape, "hook_pattern", () => made);
        return AttentionOp.Weigh(tape, pattern.IsNone ? made : pattern, v);
    }

    /// <summary>Attends over a cache [B, capacity, G, ..] after adding keys and values to it.</summary>
    protected virtual Tensor Cached(ForwardContext context, AttentionInput input, AttentionCache cache) =>
        CachedAttentionOp.Record(context.Tape, input.Q, input.K, input.V, cache, context.Positions, context.Counts, Scale, Seen(context), terms: input.Terms);

    /// <summary>The weights [B, H, T, T].</summary>
    protected virtual Tensor Pattern(ForwardContext context, AttentionInput input) =>
        AttentionOp.Pattern(context.Tape, input.Q, input.K, Scale, Seen(context), terms: input.Terms);

    /// <summary>The weights [R, H, T] of the queries of some tokens Int32 [R], b · T + t: rows of <see cref="Pattern"/> without the rest of it.</summary>
    protected virtual Tensor PatternRows(ForwardContext context, AttentionInput input, Tensor rows) =>
        PatternRowsOp.Record(context.Tape, input.Q, input.K, rows, Scale, Seen(context), terms: input.Terms);

    /// <summary>Attends over the batch itself.</summary>
    protected virtual Tensor Fused(ForwardContext context, AttentionInput input) =>
        AttentionOp.Record(context.Tape, input.Q, input.K, input.V, Scale, Seen(context), input.Terms, input.Rotary);

    /// <summary>What a query sees.</summary>
    protected Visibility Seen(ForwardContext context) => context.Visible with { Window = Window, Sinks = Sinks };
}
