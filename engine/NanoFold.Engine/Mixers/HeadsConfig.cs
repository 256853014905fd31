using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Mixers with heads of queries, keys and values. The shape of the heads is the mixer's own; where it says nothing, the model's.
/// </summary>
public abstract record HeadsConfig : MixerConfig
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

    /// <summary>Whether its queries and keys are normed; null for what model.qkNorm says.</summary>
    public bool? QkNorm { get; init; }

    /// <summary>The shape of its heads in a model.</summary>
    public virtual HeadShape ShapeFor(ModelShape model)
    {
        int heads = Heads > 0 ? Heads : model.Heads, headDim = HeadDim > 0 ? HeadDim : model.HeadDim;
        return new HeadShape(heads, KvHeads > 0 ? KvHeads : Heads > 0 ? heads : model.KvHeads, headDim, ValueDim > 0 ? ValueDim : headDim, RopeDim: 0) { QkNorm = QkNorm };
    }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        HeadShape shape = ShapeFor(model);
        if (shape.Heads % shape.KvHeads != 0)
        {
            yield return new ConfigProblem(Key(path, "kvHeads", KvHeads), $"{shape.KvHeads} does not divide {Key(path, "heads", Heads)} = {shape.Heads}");
        }
    }

    /// <summary>Where the value that counts was written: here, or in the model where this one is 0.</summary>
    protected static string Key(string path, string name, int own) => own > 0 ? $"{path}.{name}" : $"{path[..path.IndexOf('.', StringComparison.Ordinal)]}.{name}";
}
