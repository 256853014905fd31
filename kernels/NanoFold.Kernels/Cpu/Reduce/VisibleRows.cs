using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>What rows of scores [.., T, S] see, as <see cref="Visible"/> says; the first dimension is the batch, the ones between it and T are heads.</summary>
internal readonly unsafe struct VisibleRows
{
    private readonly VisibleRule _rule;
    private readonly int* _prefixes, _documents;
    private readonly KeyLists _lists;
    private readonly int _queries, _keys;
    private readonly long _rowsPerBatch;

    public VisibleRows(in Visible visible, in Layout layout)
    {
        int rank = layout.Rank;
        _keys = layout[-1];
        _rule = visible.Rule(_keys);
        _queries = rank > 1 ? layout[-2] : 1;
        _rowsPerBatch = rank > 2 ? layout.Rows / layout[0] : layout.Rows;
        _prefixes = visible.Prefixes.Ints;
        _documents = visible.Documents.Ints;
        _lists = new KeyLists(visible.Blocks, (int)(layout.Rows / Math.Max(1, _queries)), _queries, _keys);
    }

    /// <summary>Whether anything before a row's end may be hidden.</summary>
    public bool HasGaps => _rule.Window < VisibleRule.Far || _documents is not null || !_lists.IsNone;

    /// <summary>Keys from here on are hidden.</summary>
    public int End(long row)
    {
        int t = Position(row);
        VisibleRule rule = RuleOf(row);
        return Math.Clamp(Math.Max(rule.End(t), rule.SinkEnd(t)), 0, _keys);
    }

    /// <summary>Makes what is hidden before the end −∞.</summary>
    public void HideGaps<V>(void* z, long row, int end)
        where V : struct, ICpuLane<V>
    {
        if (end == 0)
        {
            return;
        }

        int t = Position(row);
        VisibleRule rule = RuleOf(row);
        int sinkEnd = Math.Min(rule.SinkEnd(t), end);
        Hide<V>(z, sinkEnd, Math.Min(rule.Start(t), end));
        if (_documents is not null)
        {
            int* documents = _documents + (row / _rowsPerBatch * _keys);
            for (int j = 0; j < end; j++)
            {
                if (documents[j] != documents[t])
                {
                    Hide<V>(z, j, j + 1);
                }
            }
        }

        if (!_lists.IsNone)
        {
            HideUnlisted<V>(z, row, end);
        }
    }

    private void HideUnlisted<V>(void* z, long row, int end)
        where V : struct, ICpuLane<V>
    {
        KeyList list = _lists.Of(row / _queries, (int)(row % _queries));
        int at = 0, entry = 0;
        while (at < end && list.Next(ref entry, out int first, out int last))
        {
            Hide<V>(z, at, Math.Min(first, end));
            at = last;
        }

        Hide<V>(z, at, end);
    }

    private static void Hide<V>(void* z, int first, int end)
        where V : struct, ICpuLane<V>
    {
        for (int j = first; j < end; j++)
        {
            V.StorePart(z, j, 1, V.Constant(double.NegativeInfinity));
        }
    }

    private int Position(long row) => (int)(row % _queries) - _queries + _keys;

    private VisibleRule RuleOf(long row) => _prefixes is null ? _rule : _rule.WithPrefix(_prefixes[row / _rowsPerBatch]);
}
