using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>Mixers that weigh tokens by queries and keys.</summary>
public abstract record AttentionFamilyConfig : HeadsConfig
{
    /// <summary>R, the first elements of each head that rotary positions turn; 0 for all.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int RopeDim { get; init; }

    /// <summary>Whether a token sees all before it, so that decoding keeps them all.</summary>
    protected virtual bool SeesAll => true;

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new()
    {
        PatternHeads = ShapeFor(model).Heads,
        HasHeads = true,
        FollowsVisibility = true,
        SlidesOn = !SeesAll && model.Position == PositionKind.None,
    };

    /// <inheritdoc/>
    public override HeadShape ShapeFor(ModelShape model)
    {
        HeadShape shape = base.ShapeFor(model);
        return shape with { RopeDim = model.Position == PositionKind.Rope ? RopeDim > 0 ? RopeDim : shape.HeadDim : 0 };
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
    }
}

/// <summary>The heads of a mixer.</summary>
/// <param name="Heads">H, of queries.</param>
/// <param name="KvHeads">G, of keys and values; divides H.</param>
/// <param name="HeadDim">D, elements of a query or key.</param>
/// <param name="ValueDim">DV, elements of a value.</param>
/// <param name="RopeDim">R, how many of those rotary positions turn; 0 where there are none.</param>
public readonly record struct HeadShape(int Heads, int KvHeads, int HeadDim, int ValueDim, int RopeDim)
{
    /// <summary>H · D.</summary>
    public int QueryWidth => Heads * HeadDim;

    /// <summary>G · D.</summary>
    public int KeyWidth => KvHeads * HeadDim;

    /// <summary>Query heads 2i and 2i + 1 make one result together, from one value head: differential attention.</summary>
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
