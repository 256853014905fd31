using ILGPU;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>Goes through the tiles of keys that some query of a group sees: those out of order, of the window or of other documents are passed over.</summary>
internal struct KeyWalk
{
    private long _list;
    private int _sinkEnd, _start, _end, _low, _high, _least, _largest, _entry, _entries, _next;

    /// <summary>First key of the tile.</summary>
    public int Key;

    /// <summary>One after the last key that the tile may have.</summary>
    public int Limit;

    /// <param name="view">Of the batch row.</param>
    /// <param name="batch">Row.</param>
    /// <param name="pair">Its head, numbered over all rows.</param>
    /// <param name="first">First query of the group.</param>
    /// <param name="last">Its last one.</param>
    public static KeyWalk Of(in VisibleView view, int batch, int pair, int first, int last)
    {
        KeyWalk walk = default;
        walk._list = view.Blocks.ListOf(pair, first);
        walk._entries = view.Blocks.Length(walk._list);
        walk._sinkEnd = view.Rule.SinkEnd(last + view.Shift);
        walk._start = view.Rule.Start(first + view.Shift);
        walk._end = view.Rule.End(last + view.Shift);
        walk._high = view.Keys;
        if (view.HasDocuments != 0)
        {
            walk._low = view.Reach.Low(batch, first + view.Shift);
            walk._high = view.Reach.High(batch, last + view.Shift);
            view.Reach.Range(batch, first + view.Shift, last + view.Shift, out walk._least, out walk._largest);
        }

        return walk;
    }

    public bool Next(in VisibleView view, int batch)
    {
        bool found = false, isDone = false;
        while (!found && !isDone)
        {
            if (_next >= Limit)
            {
                isDone = _entry >= _entries;
                int block = isDone ? -1 : view.Blocks.At(_list, _entry);
                _entry++;

                // Lists come from memory that others may write to.
                bool isThere = block >= 0 && block < view.Blocks.Blocks;
                _next = isThere ? block * view.Blocks.KeySize : 0;
                Limit = isThere ? IntrinsicMath.Min(_next + view.Blocks.KeySize, view.Keys) : 0;
            }
            else
            {
                // Whole tiles are passed over, so that sums do not depend on it.
                Key = _next;
                int target = Key >= _sinkEnd ? IntrinsicMath.Max(_start, _low) : _low;
                if (Key + TileGroup.Columns <= target)
                {
                    Key += (target - Key) / TileGroup.Columns * TileGroup.Columns;
                }

                bool isPast = Key >= _high || (Key >= _end && Key >= _sinkEnd);
                _next = isPast ? Limit : Key + TileGroup.Columns;
                found = !isPast && Key < Limit;
                if (found && view.HasDocuments != 0)
                {
                    view.Reach.Range(batch, Key, IntrinsicMath.Min(Key + TileGroup.Columns, Limit) - 1, out int least, out int largest);
                    found = least <= _largest && _least <= largest;
                }
            }
        }

        return found;
    }
}

/// <summary>Goes through the tiles of queries of one head that see some key of a group.</summary>
internal struct QueryWalk
{
    private int _pair, _block, _start, _end, _least, _largest, _row, _next;

    /// <summary>First query of the tile.</summary>
    public int Query;

    /// <summary>One after the last query that the tile may have.</summary>
    public int Limit;

    /// <param name="view">Of the batch row.</param>
    /// <param name="batch">Row.</param>
    /// <param name="pair">Its head, numbered over all rows.</param>
    /// <param name="first">First key of the group.</param>
    /// <param name="last">Its last one.</param>
    public static QueryWalk Of(in VisibleView view, int batch, int pair, int first, int last)
    {
        QueryWalk walk = default;
        walk._pair = pair;
        walk._block = first / view.Blocks.KeySize;
        walk._start = IntrinsicMath.Max(view.Rule.QueryStart(first) - view.Shift, 0);
        walk._end = IntrinsicMath.Min(first < view.Rule.Sinks ? view.Time : view.Rule.QueryEnd(last) - view.Shift, view.Time);
        if (view.HasDocuments != 0)
        {
            walk._start = IntrinsicMath.Max(walk._start, view.Reach.Low(batch, first) - view.Shift);
            walk._end = IntrinsicMath.Min(walk._end, view.Reach.High(batch, last) - view.Shift);
            view.Reach.Range(batch, first, last, out walk._least, out walk._largest);
        }

        return walk;
    }

    public bool Next(in VisibleView view, int batch)
    {
        bool found = false, isDone = false;
        while (!found && !isDone)
        {
            if (_next >= Limit)
            {
                int first = _row * view.Blocks.QuerySize;
                isDone = first >= _end;
                bool isListed = !isDone && view.Blocks.Has(view.Blocks.ListAt(_pair, _row), _block);
                _next = first + IntrinsicMath.Max(_start - first, 0) / TileGroup.Columns * TileGroup.Columns;
                Limit = isListed ? IntrinsicMath.Min(first + view.Blocks.QuerySize, _end) : 0;
                _row++;
            }
            else
            {
                Query = _next;
                _next += TileGroup.Columns;
                found = true;
                if (view.HasDocuments != 0)
                {
                    int last = IntrinsicMath.Min(Query + TileGroup.Columns, Limit) - 1;
                    view.Reach.Range(batch, Query + view.Shift, last + view.Shift, out int least, out int largest);
                    found = least <= _largest && _least <= largest;
                }
            }
        }

        return found;
    }
}
