using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <content>The products of a block, of which only tiles that hold something visible are computed.</content>
internal readonly unsafe partial struct BlockMask
{
    /// <summary>All scores whose tile holds a visible one: scores[j, c] = Σ_d keys[j, d] · queries[d, c].</summary>
    /// <param name="source">Rows of keys (or values), <paramref name="rowStride"/> elements apart.</param>
    /// <param name="transposed">Columns packed by <see cref="BlockPacking.Transposed{V}"/>.</param>
    public void Products<V>(void* source, nint rowStride, int depth, void* transposed, void* scores, nint scoreRow)
        where V : struct, ICpuLane<V>
        => Products<V, SumEnd>(source, rowStride, depth, transposed, scores, scoreRow, null, default);

    /// <summary>The same with an end, which is given a value of each column.</summary>
    /// <param name="source">Rows of keys (or values), <paramref name="rowStride"/> elements apart.</param>
    /// <param name="transposed">Columns packed by <see cref="BlockPacking.Transposed{V}"/>.</param>
    /// <param name="values">Of the columns, padded to whole lanes, or null.</param>
    public void Products<V, TEnd>(void* source, nint rowStride, int depth, void* transposed, void* scores, nint scoreRow, void* values, in TEnd end)
        where V : struct, ICpuLane<V>
        where TEnd : struct, ITileEnd
    {
        int padded = LaneSize.Of<V>().Padded(columns), height = Tiles.Height<V>();
        for (int c = 0; c < padded; c += 2 * V.Width)
        {
            int step = Math.Min(2 * V.Width, padded - c);
            (int low, int high) = Computed<V>(c);
            (int nextLow, int nextHigh) = step > V.Width ? Computed<V>(c + V.Width) : (0, 0);
            if (V.Width < height && step > V.Width)
            {
                // Lanes narrower than a tile is high are not worth it.
                low = nextLow = Math.Min(low, nextLow);
                high = nextHigh = Math.Max(high, nextHigh);
            }

            int from = Math.Max(low, nextLow), to = Math.Min(high, nextHigh);
            if (from >= to)
            {
                // No key is seen by columns of both lanes.
                (from, to) = (high, nextLow);
            }
            else
            {
                Lanes<V, TEnd>(source, rowStride, depth, transposed, scores, scoreRow, values, (c, step), step, (from, to), end);
            }

            Lanes<V, TEnd>(source, rowStride, depth, transposed, scores, scoreRow, values, (c, step), V.Width, (low, from), end);
            Lanes<V, TEnd>(source, rowStride, depth, transposed, scores, scoreRow, values, (c + V.Width, step), V.Width, (to, nextHigh), end);
        }
    }

    /// <summary>target[c, ..] = source[c, ..] + Σ_j values[j, c] · rows[j, ..] over the keys j that columns of a tile see.</summary>
    /// <param name="values">[Keys, row], 0 where the column does not see the key.</param>
    /// <param name="rows">Of the keys; those of the block begin with <paramref name="first"/>.</param>
    /// <param name="source">What is added to: null for 0, or target.</param>
    public void Across<V, TEnd>(void* values, nint row, in RowPanels rows, int first, void* target, nint targetRow, void* source, nint sourceRow, in TEnd end)
        where V : struct, ICpuLane<V>
        where TEnd : struct, ITileEnd, IRowEnd<TEnd>
    {
        int height = Tiles.Height<V>();
        for (int c = 0; c < columns; c += height)
        {
            int count = Math.Min(height, columns - c), low = KeyLow(c), high = KeyHigh(c + count - 1);
            if (low < high || source != target)
            {
                Tiles.Across<V, TEnd>(
                    Element.At<V>(values, (low * row) + c), 1, row, count, Math.Max(0, high - low), rows, first + low, Element.At<V>(target, c * targetRow), targetRow,
                    source is null ? null : Element.At<V>(source, c * sourceRow), sourceRow, end.From(c));
            }
        }
    }

    /// <summary>target[j, ..] (+)= Σ_c values[j, c] · rows[c, ..] over the columns c that see keys of a tile (Group = 1).</summary>
    /// <param name="values">[Keys, row], 0 where the column does not see the key.</param>
    /// <param name="rows">Of the columns.</param>
    /// <param name="accumulate">Whether target is added to; else it is 0 where no column sees the keys.</param>
    public void Down<V>(void* values, nint row, in RowPanels rows, void* target, nint targetRow, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        int height = Tiles.Height<V>();
        for (int j = 0; j < keys; j += height)
        {
            int count = Math.Min(height, keys - j), low = ColumnLow(j), high = ColumnHigh(j + count - 1);
            if (low < high || !accumulate)
            {
                void* to = Element.At<V>(target, j * targetRow);
                Tiles.Across<V, SumEnd>(
                    Element.At<V>(values, (j * row) + low), row, 1, count, Math.Max(0, high - low), rows, low, to, targetRow, accumulate ? to : null, targetRow, default);
            }
        }
    }

    private void Lanes<V, TEnd>(
        void* source, nint rowStride, int depth, void* transposed, void* scores, nint scoreRow, void* values, (int First, int Panel) column, int width, (int From, int To) keys, in TEnd end)
        where V : struct, ICpuLane<V>
        where TEnd : struct, ITileEnd
    {
        if (keys.From < keys.To)
        {
            nint first = column.First / (2 * V.Width) * (2 * V.Width), within = column.First - first;
            Tiles.Down<V, TEnd>(
                Element.At<V>(source, keys.From * rowStride), rowStride, keys.To - keys.From, depth, Element.At<V>(transposed, (first * depth) + within), column.Panel, width,
                Element.At<V>(scores, (keys.From * scoreRow) + column.First), scoreRow, Element.At<V>(values, column.First), end);
        }
    }

    /// <summary>The keys in tiles that some column of a lane sees: scores of these are computed.</summary>
    private (int Low, int High) Computed<V>(int column)
        where V : struct, ICpuLane<V>
    {
        int low = KeyLow(column), high = KeyHigh(Math.Min(column + V.Width, columns) - 1), height = Tiles.Height<V>();
        low = low / height * height;
        return (low, Math.Max(low, Math.Min(keys, BlockSizes.Count(high, height) * height)));
    }
}
