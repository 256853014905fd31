using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// Hides scores of keys that queries do not see where rows are keys: lane 4g + t has of each tile of 16 × 8 scores the keys g and g + 8 and the queries 2t and 2t + 1.
/// </summary>
/// <param name="w">Of the kernel.</param>
/// <param name="visible">What queries see.</param>
/// <param name="documents">Whether documents are compared.</param>
/// <param name="firstKey">Of the warp.</param>
/// <param name="lane">In the warp: g, and 2t.</param>
/// <param name="rowTiles">Tiles of 16 keys that the warp has.</param>
/// <param name="columns">Queries of a step.</param>
internal sealed class FlashKeyMask(PtxWriter w, FlashVisible visible, bool documents, Reg firstKey, (Reg Row, Reg Column) lane, int rowTiles, int columns)
{
    /// <summary>Scores of keys that a query does not see become −∞. Costs nothing where all queries from <paramref name="query"/> on see all of the warp's keys.</summary>
    public void Hide(Reg[] scores, Reg query)
    {
        string done = w.NewLabel();
        if (!documents)
        {
            Reg position = w.Add(query, visible.Shift), lastKey = w.Add(firstKey, (16 * rowTiles) - 1);
            Reg isInOrder = w.Compare("le", visible.QueryStart(lastKey), position);

            // Of keys that are no sinks the first one is seen the least far.
            Reg isInWindow = w.Compare("ge", firstKey, visible.Start(w.Add(position, columns - 1)));
            using (w.When(w.Both(isInOrder, w.Either(isInWindow, visible.AreSinks(lastKey)))))
            {
                w.Branch(done);
            }
        }

        int tiles = columns / 8;
        Reg column = w.Add(query, lane.Column);
        var ofQueries = new Reg[documents ? 2 * tiles : 0];
        Reg columnPosition = w.Add(column, visible.Shift);
        for (int i = 0; i < ofQueries.Length; i++)
        {
            ofQueries[i] = visible.Document(columnPosition, (i / 2 * 8) + (i % 2));
        }

        for (int row = 0; row < 2 * rowTiles; row++)
        {
            Reg key = w.Add(w.Add(firstKey, lane.Row), 8 * row);
            Reg start = w.Sub(visible.QueryStart(key), columnPosition), end = w.Sub(visible.QueryEnd(key), columnPosition);
            Reg? document = documents ? visible.Document(key, 0) : null;
            for (int i = 0; i < 2 * tiles; i++)
            {
                int offset = (i / 2 * 8) + (i % 2);
                Reg isSeen = w.Both(w.Compare("le", start, offset), w.Compare("gt", end, offset));
                if (document is { } own)
                {
                    isSeen = w.Both(isSeen, w.Compare("eq", ofQueries[i], own));
                }

                Reg score = scores[((row / 2 * tiles) + (i / 2)) * 4 + (row % 2 * 2) + (i % 2)];
                w.Set(score, w.Select(isSeen, score, float.NegativeInfinity, RegKind.F32));
            }
        }

        w.Mark(done);
    }
}
