using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>Which keys the queries of a full pass see, or new tokens of those in a cache.</summary>
internal readonly unsafe struct SeenKeys
{
    private readonly VisibleRule _rule;
    private readonly int* _prefixes, _documents, _positions, _counts;
    private readonly DocumentReach _reach;
    private readonly int _time, _keys;

    /// <exception cref="ArgumentException">A row's new tokens do not fit the cache. Positions come from memory that others may write to.</exception>
    public SeenKeys(string op, in Visible visible, int batch, int time, int keys, in View positions, in View counts, CallMemory memory)
    {
        _rule = visible.Rule(positions.IsNone ? keys : int.MaxValue);
        _prefixes = visible.Prefixes.Ints;
        _documents = visible.Documents.Ints;
        _positions = positions.Ints;
        _counts = counts.Ints;
        (_time, _keys) = (time, keys);
        if (_documents is not null)
        {
            _reach = new DocumentReach(_documents, batch, keys, memory.Take(DocumentReach.Bytes(batch, keys)));
        }

        for (int b = 0; b < batch && _positions is not null; b++)
        {
            if (_positions[b] < 0 || _counts[b] < 0 || _counts[b] > time || (long)_positions[b] + _counts[b] > keys)
            {
                Checks.Throw(op, $"row {b} has {_counts[b]} new tokens of {time} at position {_positions[b]} of a cache of {keys}");
            }
        }
    }

    /// <summary>Queries of a row that count.</summary>
    public int Queries(int batch) => _counts is null ? _time : _counts[batch];

    /// <summary>Whether keys in between may be hidden from a query.</summary>
    public bool HasDocuments => _documents is not null;

    /// <summary>The keys that queries [first, last] see.</summary>
    public KeyBlocks Of(int batch, int first, int last)
    {
        int from = Position(batch, first), to = Position(batch, last);
        (int Low, int High) reach = _documents is null ? (0, _keys) : _reach.Of(batch, from, to);
        return new KeyBlocks(RuleOf(batch), from, to, End(batch), BlockSizes.Keys, reach, default);
    }

    /// <summary>Where a query stands among the keys.</summary>
    public int Position(int batch, int query) => query + (_positions is null ? _keys - _time : _positions[batch]);

    /// <summary>Of the keys the query sees those before <c>SinkEnd</c> and those in [<c>Start</c>, <c>End</c>), but for those of other documents.</summary>
    public (int SinkEnd, int Start, int End) Row(int batch, int query)
    {
        VisibleRule rule = RuleOf(batch);
        int position = Position(batch, query), end = End(batch), sinkEnd = Math.Min(rule.SinkEnd(position), end);
        return (Math.Max(0, sinkEnd), Math.Max(Math.Max(0, rule.Start(position)), sinkEnd), Math.Min(rule.End(position), end));
    }

    /// <summary>Documents of a row's keys; null where all are one.</summary>
    public int* Documents(int batch) => _documents is null ? null : _documents + ((long)batch * _keys);

    private int End(int batch) => _positions is null ? _keys : _positions[batch] + _counts[batch];

    private VisibleRule RuleOf(int batch) => _prefixes is null ? _rule : _rule.WithPrefix(_prefixes[batch]);
}
