using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Mixers with heads of queries, keys and values. The shape of the heads is the mixer's own; where it says nothing, the model's.
/// </summary>
public abstract record AttentionFamilyConfig : MixerConfig
{
    /// <summary>H, the query heads; 0 for model.heads.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int Heads { get; init; }

    /// <summary>G, the key/value heads; 0 for model.kvHeads, or as many as the heads where those are the mixer's own.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int KvHeads { get; init; }

    /// <summary>D, of queries and keys; 0 for model.headDim.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int HeadDim { get; init; }

    /// <summary>DV, of values; 0 for as many as queries and keys have.</summary>
    [Bounds(0, 4096, Auto = true)]
    public int ValueDim { get; init; }

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
        SlidesOn = !SeesAll && model.Position == PositionKind.None,
    };

    /// <summary>The shape of its heads in a model.</summary>
    public HeadShape ShapeFor(ModelShape model)
    {
        int heads = Heads > 0 ? Heads : model.Heads, headDim = HeadDim > 0 ? HeadDim : model.HeadDim;
        return new HeadShape(
            heads,
            KvHeads > 0 ? KvHeads : Heads > 0 ? heads : model.KvHeads,
            headDim,
            ValueDim > 0 ? ValueDim : headDim,
            model.Position == PositionKind.Rope ? RopeDim > 0 ? RopeDim : headDim : 0);
    }

    /// <inheritdoc/>
    public override long PairFlopsPerToken(ModelShape model) => FlopsOfKeys(model, model.Context);

    /// <summary>6 · H · (D + DV) for each of <paramref name="keys"/>: 12 · H · D where values have the width of keys.</summary>
    protected long FlopsOfKeys(ModelShape model, long keys) => 6L * (ShapeFor(model).QueryWidth + ShapeFor(model).OutputWidth) * keys;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        HeadShape shape = ShapeFor(model);
        string root = path[..path.IndexOf('.', StringComparison.Ordinal)];
        string Key(string name, int own) => own > 0 ? $"{path}.{name}" : $"{root}.{name}";
        if (shape.Heads % shape.KvHeads != 0)
        {
            yield return new ConfigProblem(Key("kvHeads", KvHeads), $"{shape.KvHeads} does not divide {Key("heads", Heads)} = {shape.Heads}");
        }

        if (shape.RopeDim > shape.HeadDim)
        {
            yield return new ConfigProblem($"{path}.ropeDim", $"{shape.RopeDim} is more than {Key("headDim", HeadDim)} = {shape.HeadDim}");
        }
        else if (shape.RopeDim % 2 != 0)
        {
            yield return new ConfigProblem(
                RopeDim > 0 ? $"{path}.ropeDim" : Key("headDim", HeadDim), $"{shape.RopeDim} is odd; rotary positions need an even one");
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

    /// <summary>G · DV.</summary>
    public int ValueWidth => KvHeads * ValueDim;

    /// <summary>H · DV, what the heads make together.</summary>
    public int OutputWidth => Heads * ValueDim;

    /// <summary>DV in the shape of a point: the letter D where it is the same.</summary>
    public string ValueLetter => ValueDim == HeadDim ? "D" : $"{ValueDim}";
}
