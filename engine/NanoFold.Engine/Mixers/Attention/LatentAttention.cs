using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): keys and values of all heads are made of one latent c = RMSNorm(W_a x) of r elements, besides
/// a key of ropeDim elements that all heads share and positions turn. Training expands c into keys and values. Decoding keeps r + ropeDim numbers of a token
/// and never expands them: W_b is folded into the query and into what comes out. Queries are made of x, or of a latent of their own, W_qb RMSNorm(W_qa x) (DeepSeek-V3).
/// model.kvHeads and model.qkNorm are not for it, and neither W_b nor W_qb has a bias.
/// </summary>
public sealed record LatentAttentionConfig : MixerConfig
{
    public static LatentAttentionConfig Tiny => new() { Latent = 10, RopeDim = 2, NopeDim = 6, ValueDim = 5 };

    /// <summary>H, the heads; 0 for model.heads.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int Heads { get; init; }

    /// <summary>r, the elements of the latent; 0 for 4 · nopeDim, at most half of the width.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int Latent { get; init; }

    /// <summary>The elements of the latent that queries are made of; 0 for queries made of x.</summary>
    [Bounds(0, 1 << 16)]
    public int QueryLatent { get; init; }

    /// <summary>What the norms of latents add to the mean square; 0 for model.normEpsilon.</summary>
    [Bounds(0, 1, Auto = true)]
    public double LatentEpsilon { get; init; }

    /// <summary>Elements of a query and a key that positions turn; 0 for half of model.headDim.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int RopeDim { get; init; }

    /// <summary>Elements of a query and a key that come from the latent; 0 for model.headDim.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int NopeDim { get; init; }

    /// <summary>DV, of a value; 0 for model.headDim.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int ValueDim { get; init; }

    /// <inheritdoc/>
    public override LatentAttentionConfig Resolve(ModelShape model)
    {
        int nope = NopeDim > 0 ? NopeDim : model.HeadDim;
        return this with
        {
            Heads = Heads > 0 ? Heads : model.Heads,
            Latent = Latent > 0 ? Latent : Math.Max(1, Math.Min(4 * nope, model.Width / 2)),
            RopeDim = RopeDim > 0 ? RopeDim : Math.Max(2, model.HeadDim / 4 * 2),
            NopeDim = nope,
            ValueDim = ValueDim > 0 ? ValueDim : model.HeadDim,
        };
    }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { PatternHeads = Resolve(model).Heads, FollowsVisibility = true };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        LatentAttentionConfig own = Resolve(model);
        if (own.RopeDim % 2 != 0)
        {
            yield return new ConfigProblem($"{path}.ropeDim", $"{own.RopeDim} is odd; rotary positions need an even one");
        }

        foreach (ConfigProblem problem in model.Position == PositionKind.Rope && own.RopeDim % 2 == 0
            ? model.RopeScaling.Validate(new RopeAngles(model.RopeBase, own.RopeDim, model.Context), $"{path[..path.IndexOf('.', StringComparison.Ordinal)]}.ropeScaling")
            : [])
        {
            yield return problem;
        }

        if (own.QueryLatent > model.Width)
        {
            yield return new ConfigProblem($"{path}.queryLatent", $"{own.QueryLatent} is more than the width {model.Width} that it is made of");
        }

        int expanded = own.Heads * (own.NopeDim + own.ValueDim);
        if (own.Latent > model.Width)
        {
            yield return new ConfigProblem($"{path}.latent", $"{own.Latent} is more than the width {model.Width} that it is made of");
        }
        else if (own.Latent > expanded)
        {
            yield return new ConfigProblem($"{path}.latent", $"{own.Latent} is more than the {expanded} elements of keys and values that are made of it");
        }
    }

    /// <summary>Training's: 6 · H · (nopeDim + ropeDim + valueDim) for each key.</summary>
    public override long PairFlopsPerToken(ModelShape model)
    {
        LatentAttentionConfig own = Resolve(model);
        return 6L * own.Heads * (own.NopeDim + own.RopeDim + own.ValueDim) * model.Context;
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new LatentAttention(builder, Resolve(builder.Model));
}

internal sealed class LatentAttention : Mixer
{
    private readonly ModuleBuilder _builder;
    private readonly LatentAttentionConfig _shape;
    private readonly (Linear Down, Norm Norm)? _queryLatent;
    private readonly Linear _query;
    private readonly Linear _down;
    private readonly Norm _norm;
    private readonly Linear _up;
    private readonly Linear _output;
    private readonly Rotary? _rotary;

    public LatentAttention(ModuleBuilder builder, LatentAttentionConfig shape)
    {
        (_builder, _shape) = (builder.In("self_attn"), shape);
        ModelShape model = builder.Model;
        int width = model.Width, heads = shape.Heads;
        _queryLatent = shape.QueryLatent == 0 ? null : (
            _builder.Linear("q_a_proj", width, shape.QueryLatent, Initialization.Input(width), model.QkvBias ?? model.Bias),
            _builder.Norm("q_a_norm", shape.QueryLatent, NormKind.Rms, epsilon: shape.LatentEpsilon));
        _query = shape.QueryLatent > 0
            ? _builder.Linear("q_b_proj", shape.QueryLatent, heads * QueryDim, Initialization.Input(shape.QueryLatent))
            : _builder.Linear("q_proj", width, heads * QueryDim, Initialization.Input(width), model.QkvBias ?? model.Bias);
        _down = _builder.Linear("kv_a_proj", width, shape.Latent + shape.RopeDim, Initialization.Input(width), model.QkvBias ?? model.Bias);
        _norm = _builder.Norm("kv_a_norm", shape.Latent, NormKind.Rms, epsilon: shape.LatentEpsilon);
        _up = _builder.Linear("kv_b_proj", shape.Latent, heads * (shape.NopeDim + shape.ValueDim), Initialization.Input(shape.Latent));
        _output = _builder.Linear("o_proj", heads * shape.ValueDim, width, Initialization.Output(heads * shape.ValueDim, model), model.OutputBias ?? model.Bias);
        _rotary = model.Position == PositionKind.Rope ? new Rotary(_builder, shape.RopeDim) : null;
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        .. _queryLatent is null ? Array.Empty<TapPoint>() : [new("attn.hook_query_latent", $"B T {_shape.QueryLatent}")],
        new("attn.hook_q", $"B T {_shape.Heads} {QueryDim}"),
        new("attn.hook_latent", $"B T {_shape.Latent}"),
        new("attn.hook_rope_key", $"B T 1 {_shape.RopeDim}"),
        .. _rotary is null ? Array.Empty<TapPoint>() : [new("attn.hook_rot_q", $"B T {_shape.Heads} {QueryDim}"), new("attn.hook_rot_key", $"B T 1 {_shape.RopeDim}")],
        new("attn.hook_k", $"B T {_shape.Heads} {QueryDim}"),
        new("attn.hook_v", $"B T {_shape.Heads} {_shape.ValueDim}"),
        new("attn.hook_attn_scores", $"B {_shape.Heads} T T"),
        new("attn.hook_pattern", $"B {_shape.Heads} T T"),
        new("attn.hook_z", $"B T {_shape.Heads} {_shape.ValueDim}"),
    ];

    private int QueryDim => _shape.NopeDim + _shape.RopeDim;

    private ScoreTerms Terms => default(ScoreTerms) with { Cap = _builder.Model.ScoreCap };

    private double Scale => _builder.Model.ScoreScaleFor(QueryDim);

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        int latent = _shape.Latent, rope = _shape.RopeDim;
        Tensor asked = _queryLatent is var (made, norm) ? Tap.At(tape, "hook_query_latent", norm.Forward(tape, made.Forward(tape, x))) : x;
        Tensor q = Tap.At(tape, "hook_q", _query.Forward(tape, asked).Reshape(x[0], x[1], _shape.Heads, QueryDim)), down = _down.Forward(tape, x);
        Tensor c = Tap.At(tape, "hook_latent", _norm.Forward(tape, down.Slice(2, 0, latent)));
        Tensor ropeKey = Tap.At(tape, "hook_rope_key", down.Slice(2, latent, rope).SplitLast(1));
        if (_rotary is not null)
        {
            q = Tap.At(tape, "hook_rot_q", _rotary.Forward(context, q, _shape.NopeDim));
            ropeKey = Tap.At(tape, "hook_rot_key", _rotary.Forward(context, ropeKey));
        }

        Tensor z = Tap.At(tape, "hook_z", context.Cache is null ? Expanded(context, q, c, ropeKey) : Absorbed(context, q, c, ropeKey));
        return _output.Forward(tape, z.Reshape(x[0], x[1], _shape.Heads * _shape.ValueDim));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [new StateSlot("latents", Layout.Of(batch, _builder.Model.Context, 1, _shape.Latent + _shape.RopeDim), _builder.Type, StateStart.Kept) { TokensPerEntry = 1, MayRound = true }];

    private Tensor Expanded(ForwardContext context, Tensor q, Tensor c, Tensor ropeKey)
    {
        Tape tape = context.Tape;
        Visibility seen = context.Visible;
        (Tensor k, Tensor v) = KeysAndValues(tape, c, ropeKey);
        k = Tap.At(tape, "hook_k", k);
        v = Tap.At(tape, "hook_v", v);
        Tensor scored = AttentionMixer.Scored(tape, q, k, v, Scale, seen, Terms.Cap);
        if (!scored.IsNone)
        {
            return scored;
        }

        Tensor edited = Tap.At(tape, "hook_pattern", () => AttentionOp.Pattern(tape, q, k, Scale, seen, terms: Terms), rows => PatternRowsOp.Record(tape, q, k, rows, Scale, seen, terms: Terms));
        return edited.IsNone ? AttentionOp.Record(tape, q, k, v, Scale, seen, Terms) : AttentionOp.Weigh(tape, edited, v);
    }

    // [B, T, H, nopeDim + ropeDim] and [B, T, H, DV].
    private (Tensor Keys, Tensor Values) KeysAndValues(Tape tape, Tensor c, Tensor ropeKey)
    {
        int nope = _shape.NopeDim, value = _shape.ValueDim;
        Tensor expanded = _up.Forward(tape, c).Reshape(c[0], c[1], _shape.Heads, nope + value);
        return (JoinOp.Record(tape, expanded.Slice(3, 0, nope), ropeKey), expanded.Slice(3, nope, value));
    }

    // q · (W c) = (Wᵀ q) · c, and Σ p (W c) = W (Σ p c): attention over latents, with one head of keys whose first elements are the values.
    private Tensor Absorbed(ForwardContext context, Tensor q, Tensor c, Tensor ropeKey)
    {
        Tape tape = context.Tape;
        Tap.RefuseWhileDecoding(tape, "hook_attn_scores", "hook_pattern", "hook_k", "hook_v");
        if (Tap.IsWanted(tape, "hook_k") || Tap.IsWanted(tape, "hook_v"))
        {
            (Tensor k, Tensor v) = KeysAndValues(tape, c, ropeKey);
            Tap.ReadOnly(tape, "hook_k", k);
            Tap.ReadOnly(tape, "hook_v", v);
        }

        int batch = q[0], time = q[1], heads = _shape.Heads, nope = _shape.NopeDim, latent = _shape.Latent;
        Tensor up = _up.Weight(tape).Reshape(heads, nope + _shape.ValueDim, latent), flat = q.Reshape(batch * time, heads, QueryDim);
        Tensor query = MatMulOp.Record(tape, flat.Slice(2, 0, nope).Permute(1, 0, 2), up.Slice(1, 0, nope), sequencesInRows: true);
        Tensor queries = JoinOp.Record(tape, query.Permute(1, 0, 2), flat.Slice(2, nope, _shape.RopeDim)).Reshape(batch, time, heads, latent + _shape.RopeDim);
        Tensor keys = JoinOp.Record(tape, c.SplitLast(1), ropeKey);
        Tensor z = CachedAttentionOp.RecordInKeys(
            tape, queries, keys, latent, context.Cache!.Use(tape, _builder.Layer, "latents"), context.Positions, context.Counts, Scale, context.Visible, Terms);
        Tensor values = MatMulOp.Record(tape, z.Reshape(batch * time, heads, latent).Permute(1, 0, 2), up.Slice(1, nope, _shape.ValueDim), transposeB: true, sequencesInRows: true);
        Tensor made = BroadcastOp.Contiguous(tape, values.Permute(1, 0, 2)).Reshape(batch, time, heads, _shape.ValueDim), bias = _up.Bias(tape);
        if (bias.IsNone)
        {
            return made;
        }

        // Weights sum to 1, so that values have their bias once; that of keys is the same for every key of a query, and changes no weight.
        Tensor added = bias.Reshape(1, 1, heads, nope + _shape.ValueDim).Slice(3, nope, _shape.ValueDim);
        return AddOp.Record(tape, made, BroadcastOp.Record(tape, added, batch, time, heads, _shape.ValueDim));
    }
}
