using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>Which keys a block of queries goes through: to the end of what its last query sees, without those between sinks and window and those before its documents.</summary>
internal sealed class FlashRange
{
    private readonly PtxWriter _w;
    private readonly Reg _sinkEnd, _start;
    private readonly Reg? _low;

    /// <param name="w">Of the kernel.</param>
    /// <param name="visible">What queries see.</param>
    /// <param name="hasPrefix">Whether keys ahead of a query may be seen.</param>
    /// <param name="documents">Whether documents are compared.</param>
    /// <param name="position">Of the block's first query.</param>
    /// <param name="rows">Queries of the block.</param>
    public FlashRange(PtxWriter w, FlashVisible visible, bool hasPrefix, bool documents, Reg position, int rows)
    {
        _w = w;
        Reg last = w.Add(position, rows - 1);
        End = visible.End(last);
        _sinkEnd = visible.SinkEnd(last);
        _start = w.Max(visible.Start(position), 0);
        if (hasPrefix)
        {
            // A window of keys ahead may end before the sinks do.
            End = w.Max(End, w.Min(_sinkEnd, visible.Keys));
        }

        if (documents)
        {
            Reg low = visible.Low(position);
            _low = low;
            End = w.Min(End, visible.High(last));
        }
    }

    /// <summary>One after the last key.</summary>
    public Reg End { get; }

    /// <summary>The first key from one on whose block some query sees: between sinks and window nothing is, nor before the documents.</summary>
    public Reg Next(Reg key)
    {
        if (_low is { } low)
        {
            key = _w.Max(key, low);
        }

        Reg isBetween = _w.Both(_w.Compare("ge", key, _sinkEnd), _w.Compare("lt", key, _start));
        return _w.Select(isBetween, _start, key);
    }
}
