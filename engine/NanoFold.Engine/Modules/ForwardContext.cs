using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>What all layers of one recording share.</summary>
public sealed class ForwardContext
{
    private readonly Shared _shared = new();
    private DecodeCache? _cache;

    public required Tape Tape { get; init; }

    public required int Batch { get; init; }

    public required int Time { get; init; }

    /// <summary>Document of each token, Int32 [B, T], or none: tokens then see their own document only.</summary>
    public Tensor Documents { get; init; }

    /// <summary>What tokens see of each other by <see cref="ModelShape.Visibility"/> and <see cref="Documents"/>, before a mixer narrows it.</summary>
    public Visibility Visible { get; init; } = Visibility.Causal;

    /// <summary>Decoding: position of each row's first token, Int32 [B], otherwise none.</summary>
    public Tensor Positions { get; init; }

    /// <summary>Decoding with learned positions: position of each token, Int32 [B, T], otherwise none.</summary>
    public Tensor PositionIds { get; init; }

    /// <summary>Decoding: tokens of each row that count, Int32 [B], otherwise none.</summary>
    public Tensor Counts { get; init; }

    /// <summary>Decoding: tokens of each row's text with all that are known to come next, Int32 [B], otherwise none.</summary>
    public Tensor Lengths { get; init; }

    /// <summary>Decoding: what the layers remember, otherwise null.</summary>
    public DecodeCache? Cache
    {
        get => _cache;
        init => _cache = value;
    }

    public bool IsDecoding => Cache is not null;

    /// <summary>Keys that a layer chose, for later layers of the same settings that share its choice.</summary>
    public void Share(object settings, KeyList kept) => _shared.Kept[settings] = kept;

    /// <summary>What <see cref="Share"/> was last given for these settings.</summary>
    public KeyList SharedBy(object settings) => _shared.Kept[settings];

    /// <summary>
    /// 1 where a token goes on from the one before it, 0 where a row or a document begins: real, [B, T]. None where it would say nothing but that rows begin at
    /// their first token, as without documents in training. Recorded where the first layer asks for it.
    /// </summary>
    public Tensor Continues()
    {
        if (_shared.Continues.IsNone && !(Documents.IsNone && Positions.IsNone))
        {
            _shared.Continues = ContinuationOp.Record(Tape, Batch, Time, Documents, Positions);
        }

        return _shared.Continues;
    }

    /// <summary>What all layers take alike while decoding, recorded where the first one asks for it.</summary>
    /// <param name="name">Says all that it depends on.</param>
    /// <param name="record">Records it.</param>
    public Tensor Once(string name, Func<Tensor> record) => _shared.Made.TryGetValue(name, out Tensor made) ? made : _shared.Made[name] = record();

    /// <summary>The same for one of several mixers of a layer, which keeps what it remembers under names that begin so.</summary>
    public ForwardContext Within(string slots)
    {
        var own = (ForwardContext)MemberwiseClone();
        own._cache = _cache?.In(slots);
        return own;
    }

    private sealed class Shared
    {
        public Tensor Continues { get; set; }

        public Dictionary<object, KeyList> Kept { get; } = [];

        public Dictionary<string, Tensor> Made { get; } = [];
    }
}
