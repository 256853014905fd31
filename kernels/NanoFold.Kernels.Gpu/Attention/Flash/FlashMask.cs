using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// Hides scores of keys that queries do not see, of a warp's rows. Lane 4g + t has of each tile of 16 × 8 scores the rows g and g + 8 and the columns 2t and 2t + 1.
/// </summary>
internal sealed class FlashMask
{
    private readonly PtxWriter _w;
    private readonly FlashVisible _visible;
    private readonly bool _hasPrefix;
    private readonly int _rowTiles, _columns;
    private readonly Reg _position, _rowOfLane, _columnOfLane;
    private readonly Reg[] _documents = [];

    /// <param name="w">Of the kernel.</param>
    /// <param name="visible">What queries see.</param>
    /// <param name="hasPrefix">Whether keys ahead of a query may be seen.</param>
    /// <param name="documents">Whether documents are compared.</param>
    /// <param name="position">Of the warp's first query.</param>
    /// <param name="lane">In the warp: g, and 2t.</param>
    /// <param name="rowTiles">Tiles of 16 rows that the warp has.</param>
    /// <param name="columns">Keys of a step.</param>
    public FlashMask(PtxWriter w, FlashVisible visible, bool hasPrefix, bool documents, Reg position, (Reg Row, Reg Column) lane, int rowTiles, int columns)
    {
        (_w, _visible, _hasPrefix, _position, _rowTiles, _columns) = (w, visible, hasPrefix, position, rowTiles, columns);
        (_rowOfLane, _columnOfLane) = lane;
        if (documents)
        {
            _documents = new Reg[2 * rowTiles];
            for (int i = 0; i < _documents.Length; i++)
            {
                _documents[i] = visible.Document(w.Add(position, _rowOfLane), 8 * i);
            }
        }
    }

    /// <summary>Scores of hidden keys become −∞. Costs nothing where the warp sees the whole block from <paramref name="key"/> on.</summary>
    public void Hide(Reg[] scores, Reg key)
    {
        string done = _w.NewLabel();
        if (_documents.Length == 0)
        {
            // The first row sees the least far ahead, the last one the least far back.
            Reg last = _w.Add(key, _columns - 1);
            Reg isInOrder = _w.Compare("lt", last, _visible.End(_position));
            Reg isInWindow = _w.Compare("ge", key, _visible.Start(_w.Add(_position, (16 * _rowTiles) - 1)));
            Reg areSinks = _hasPrefix ? _w.Compare("lt", last, _visible.SinkEnd(_position)) : _w.Both(isInOrder, _visible.AreSinks(last));
            using (_w.When(_w.Either(_w.Both(isInOrder, isInWindow), areSinks)))
            {
                _w.Branch(done);
            }
        }

        Reg column = _w.Add(key, _columnOfLane);
        int tiles = _columns / 8;
        Reg[] documents = new Reg[_documents.Length == 0 ? 0 : 2 * tiles];
        for (int i = 0; i < documents.Length; i++)
        {
            documents[i] = _visible.Document(column, (i / 2 * 8) + (i % 2));
        }

        for (int row = 0; row < 2 * _rowTiles; row++)
        {
            Reg position = _w.Add(_w.Add(_position, _rowOfLane), 8 * row);
            Reg start = _w.Sub(_visible.Start(position), column), end = _w.Sub(_visible.End(position), column), sinkEnd = _w.Sub(_visible.SinkEnd(position), column);
            for (int i = 0; i < 2 * tiles; i++)
            {
                int offset = (i / 2 * 8) + (i % 2);
                Reg isSeen = _w.Both(_w.Compare("le", start, offset), _w.Compare("gt", end, offset));
                isSeen = _w.Either(isSeen, _w.Compare("gt", sinkEnd, offset));
                if (documents.Length > 0)
                {
                    isSeen = _w.Both(isSeen, _w.Compare("eq", documents[i], _documents[row]));
                }

                Reg score = scores[((row / 2 * tiles) + (i / 2)) * 4 + (row % 2 * 2) + (i % 2)];
                _w.Set(score, _w.Select(isSeen, score, float.NegativeInfinity, RegKind.F32));
            }
        }

        _w.Mark(done);
    }
}
