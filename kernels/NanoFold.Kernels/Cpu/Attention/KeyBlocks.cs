using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// Walks the blocks of keys that some query of a stretch sees, in ascending order: those of the sinks, then those of the window (or of
/// everything in order). Blocks wholly outside, of other documents or in no list are never visited, so that work is proportional to what is visible.
/// </summary>
internal unsafe struct KeyBlocks
{
    private readonly VisibleRule _rule;
    private readonly KeyList _list;
    private readonly int _blockKeys, _sinkEnd, _grid, _end, _low, _high;
    private int _next, _runEnd, _entry;

    /// <param name="rule">What the queries see.</param>
    /// <param name="first">Position of the first query.</param>
    /// <param name="last">Position of the last one.</param>
    /// <param name="keys">Keys that there are.</param>
    /// <param name="blockKeys">Keys of a block at most.</param>
    public KeyBlocks(in VisibleRule rule, int first, int last, int keys, int blockKeys)
        : this(rule, first, last, keys, blockKeys, (0, keys), default)
    {
    }

    /// <param name="rule">What the queries see.</param>
    /// <param name="first">Position of the first query.</param>
    /// <param name="last">Position of the last one.</param>
    /// <param name="keys">Keys that there are.</param>
    /// <param name="blockKeys">Keys of a block at most.</param>
    /// <param name="reach">Keys outside of [Low, High) are in none of the queries' documents.</param>
    /// <param name="list">The blocks listed for the queries, where there are lists.</param>
    public KeyBlocks(in VisibleRule rule, int first, int last, int keys, int blockKeys, (int Low, int High) reach, in KeyList list)
    {
        _rule = rule;
        _list = list;
        _blockKeys = blockKeys;
        _low = reach.Low;
        _high = reach.High;
        _end = Math.Min(rule.End(last), keys);
        _sinkEnd = Math.Min(rule.SinkEnd(last), keys);
        _grid = Math.Max(Math.Max(0, rule.Start(first)), _sinkEnd);
        _runEnd = list.IsNone ? keys : 0;
    }

    /// <summary>First key of the block.</summary>
    public int First { get; private set; }

    public int Count { get; private set; }

    /// <summary>Whether the block's keys are sinks, which no window hides.</summary>
    public bool AreSinks { get; private set; }

    /// <summary>Keys before this one are sinks, seen by all.</summary>
    public readonly int SinkEnd => _low < _sinkEnd ? _sinkEnd : 0;

    /// <summary>No key after the sinks and before this one is visited.</summary>
    public readonly int Start => Math.Max(_grid, _low - _blockKeys + 1);

    /// <summary>No key from here on is visited.</summary>
    public readonly int End => (int)Math.Min(_end, (long)_high + _blockKeys - 1);

    /// <summary>Keys in [0, SinkEnd) and [Start, End).</summary>
    public readonly int Total => SinkEnd + Math.Max(0, End - Start);

    /// <summary>Number of such keys before one of them.</summary>
    public readonly int IndexOf(int key) => key < SinkEnd ? key : SinkEnd + (key - Start);

    /// <summary>The key with <paramref name="index"/> such keys before it.</summary>
    public readonly int KeyAt(int index) => index < SinkEnd ? index : index - SinkEnd + Start;

    /// <summary>The rule that holds within the block, counted from a position.</summary>
    public readonly VisibleRule RuleFrom(int origin) => _rule.Block(origin, AreSinks);

    public bool Next()
    {
        while (_next < _runEnd || _list.Next(ref _entry, out _next, out _runEnd))
        {
            AreSinks = _next < _sinkEnd;
            First = AreSinks ? _next : Math.Max(_next, _grid);
            int end = Math.Min(_runEnd, AreSinks ? _sinkEnd : _end);
            if (First + _blockKeys <= _low && First < end)
            {
                // The grid of blocks stays, so that sums do not depend on what was passed over.
                First = Math.Min(end, First + ((_low - First) / _blockKeys * _blockKeys));
            }

            Count = Math.Min(_blockKeys, end - First);
            if (First >= _high)
            {
                return false;
            }

            if (Count > 0)
            {
                _next = First + Count;
                return true;
            }

            _next = AreSinks ? end : _runEnd;
        }

        return false;
    }
}

/// <summary>How time is cut. Depends on shapes only, never on threads.</summary>
internal static class BlockSizes
{
    /// <summary>Keys of a block: a multiple of the 6 rows of a tile, so that only a last block has a partial tile.</summary>
    public const int Keys = 96;

    private const int MaxQueries = 96;

    /// <summary>Two of the widest lanes.</summary>
    public const int QueryUnit = 32;

    /// <summary>Queries of a block: blocks of nearly equal size, in whole pairs of lanes.</summary>
    public static int Queries(int time)
    {
        int each = (time + Count(time, MaxQueries) - 1) / Count(time, MaxQueries);
        return Count(each, QueryUnit) * QueryUnit;
    }

    public static int Count(int time, int size) => (time + size - 1) / size;
}
