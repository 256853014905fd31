using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>Mixers that weigh tokens by queries and keys.</summary>
public abstract record AttentionFamilyConfig : HeadsConfig
{
    /// <summary>R, the first elements of each head that rotary positions turn; 0 for all.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int RopeDim { get; init; }

    /// <summary>Whether rotary positions turn queries and keys; null for what model.position says.</summary>
    public bool? Rope { get; init; }

    /// <summary>The base of rotary angles; 0 for model.ropeBase.</summary>
    [Bounds(0, Auto = true)]
    public double RopeBase { get; init; }

    /// <summary>How its rotary angles are scaled; null for model.ropeScaling.</summary>
    public RopeScalingConfig? RopeScaling { get; init; }

    /// <summary>Whether its scores may level off (model.scoreCap).</summary>
    protected virtual bool CanCapScores => false;

    /// <summary>Whether a token sees all before it, so that decoding keeps them all.</summary>
    protected virtual bool SeesAll => true;

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new()
    {
        PatternHeads = ShapeFor(model).Heads,
        HasHeads = true,
        FollowsVisibility = true,
        RefusesScoreCap = !CanCapScores,
        SlidesOn = !SeesAll && !Turns(model) && model.Position != PositionKind.Learned,
    };

    /// <inheritdoc/>
    public override HeadShape ShapeFor(ModelShape model)
    {
        HeadShape shape = base.ShapeFor(model);
        return shape with
        {
            RopeDim = Turns(model) ? RopeDim > 0 ? RopeDim : shape.HeadDim : 0,
            RopeBase = RopeBase > 0 ? RopeBase : model.RopeBase,
            RopeScaling = RopeScaling ?? model.RopeScaling,
        };
    }

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model) => FlopsOfKeys(model, model.Context);

    /// <summary>6 · H · (D + DV) for each of <paramref name="keys"/>: 12 · H · D where values have the width of keys.</summary>
    protected long FlopsOfKeys(ModelShape model, long keys) => 6L * ShapeFor(model).Heads * (ShapeFor(model).HeadDim + ShapeFor(model).ValueDim) * keys;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }

        HeadShape shape = ShapeFor(model);
        if (shape.RopeDim > shape.HeadDim)
        {
            yield return new ConfigProblem($"{path}.ropeDim", $"{shape.RopeDim} is more than {Key(path, "headDim", HeadDim)} = {shape.HeadDim}");
        }
        else if (shape.RopeDim % 2 != 0)
        {
            yield return new ConfigProblem(
                RopeDim > 0 ? $"{path}.ropeDim" : Key(path, "headDim", HeadDim), $"{shape.RopeDim} is odd; rotary positions need an even one");
        }
        else if (shape.RopeDim > 0)
        {
            if (shape.RopeBase <= 1)
            {
                yield return new ConfigProblem($"{path}.ropeBase", FormattableString.Invariant($"{RopeBase} is not more than 1"));
            }

            string of = RopeScaling is null ? $"{path[..path.IndexOf('.', StringComparison.Ordinal)]}.ropeScaling" : $"{path}.ropeScaling";
            foreach (ConfigProblem problem in shape.RopeScaling.Validate(new RopeAngles(shape.RopeBase, shape.RopeDim, model.Context), of))
            {
                yield return problem;
            }
        }
    }

    private bool Turns(ModelShape model) => Rope ?? model.Position == PositionKind.Rope;
}

/// <summary>The heads of a mixer.</summary>
/// <param name="Heads">H, of queries.</param>
/// <param name="KvHeads">G, of keys and values; divides H.</param>
/// <param name="HeadDim">D, elements of a query or key.</param>
/// <param name="ValueDim">DV, elements of a value.</param>
/// <param name="RopeDim">R, how many of those rotary positions turn; 0 where there are none.</param>
public readonly record struct HeadShape(int Heads, int KvHeads, int HeadDim, int ValueDim, int RopeDim)
{
    private static readonly NoRopeScalingConfig s_noScaling = new();

    /// <summary>The base of rotary angles.</summary>
    public double RopeBase { get; init; }

    /// <summary>How rotary angles are scaled; none where there are no rotary positions.</summary>
    public RopeScalingConfig RopeScaling { get => field ?? s_noScaling; init; }

    /// <summary>Whether queries and keys are normed; null for what the model says.</summary>
    public bool? QkNorm { get; init; }

    /// <summary>H · D.</summary>
    public int QueryWidth => Heads * HeadDim;

    /// <summary>G · D.</summary>
    public int KeyWidth => KvHeads * HeadDim;

    /// <summary>Two query heads make one result together, from one value head: differential attention.</summary>
    public bool IsPaired { get; init; }

    /// <summary>GV, of values: as many as of keys, or half of them.</summary>
    public int ValueHeads => IsPaired ? Math.Max(1, KvHeads / 2) : KvHeads;

    /// <summary>Results: one of each query head, or of each pair.</summary>
    public int OutputHeads => IsPaired ? Heads / 2 : Heads;

    /// <summary>GV · DV.</summary>
    public int ValueWidth => ValueHeads * ValueDim;

    /// <summary>What the heads make together.</summary>
    public int OutputWidth => OutputHeads * ValueDim;

    /// <summary>DV in the shape of a point: the letter D where it is the same.</summary>
    public string ValueLetter => ValueDim == HeadDim ? "D" : $"{ValueDim}";
}
