using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// What is visible in a block of scores, stored key by key: scores[j, c] with key j in [0, Keys) and query column c in [0, Columns).
/// Column c stands at position c / Group, key j at Offset + j, both relative to the block's first query, as the rule and the spans of documents are.
/// </summary>
internal readonly unsafe partial struct BlockMask(int keys, int columns, int group, int offset, VisibleRule rule, DocumentSpans documents = default)
{
    public int Keys => keys;

    public int Columns => columns;

    /// <summary>First key that a column at or after <paramref name="column"/> may see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int KeyLow(int column) => Clamp(Start(Position(column)) - offset, keys);

    /// <summary>One after the last key that a column at or before <paramref name="column"/> may see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int KeyHigh(int column) => Clamp(End(Position(column)) - offset, keys);

    /// <summary>First column that sees a key at or after <paramref name="key"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ColumnLow(int key) => (int)Math.Clamp((long)QueryStart(offset + key) * group, 0, columns);

    /// <summary>One after the last column that sees a key at or before <paramref name="key"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ColumnHigh(int key) => (int)Math.Clamp((long)QueryEnd(offset + key) * group, 0, columns);

    public bool IsEmpty => KeyLow(0) >= KeyHigh(columns - 1);

    /// <summary>Zeros in the rows outside of [low, high) of a lane of columns, where tiles of columns that reach into its neighbors read them: for <see cref="Across{V, TEnd}"/>.</summary>
    /// <param name="values">First row, at the lane's first column.</param>
    /// <param name="column">The lane's first.</param>
    public void ZeroMargin<V>(void* values, nint row, int column, int low, int high)
        where V : struct, ICpuLane<V>
    {
        if (V.Width % Tiles.Height<V>() != 0)
        {
            (int from, int to) = OfTiles<V>(column);
            ZeroAround<V>(values, row, from, to, low, high);
        }
    }

    /// <summary>The same, and where tiles of keys read more rows than the lane's columns see: also for <see cref="Down{V}"/>.</summary>
    public void ZeroTiles<V>(void* values, nint row, int column, int low, int high)
        where V : struct, ICpuLane<V>
    {
        int height = Tiles.Height<V>();
        (int from, int to) = OfTiles<V>(column);
        from = Math.Min(from, Math.Min(low, high)) / height * height;
        to = Math.Min(keys, BlockSizes.Count(Math.Max(to, Math.Max(low, high)), height) * height);
        ZeroAround<V>(values, row, from, to, low, high);
    }

    /// <summary>The same around what <see cref="Products{V}"/> computes.</summary>
    public void ZeroMargins<V>(void* values, nint row)
        where V : struct, ICpuLane<V>
    {
        for (int c = 0; c < columns; c += V.Width)
        {
            (int low, int high) = Computed<V>(c);
            ZeroMargin<V>(Element.At<V>(values, c), row, c, low, high);
        }
    }

    /// <summary>Writes −∞, or another value, to the invisible scores among those that <see cref="Products{V}"/> computes.</summary>
    /// <param name="scores">[Keys, row].</param>
    /// <param name="positions">c / Group for each column, padded to whole lanes.</param>
    public void Hide<V>(void* scores, nint row, void* positions, double value = double.NegativeInfinity)
        where V : struct, ICpuLane<V>
    {
        V hidden = V.Constant(value);
        for (int c = 0; c < columns; c += V.Width)
        {
            int last = Math.Min(c + V.Width, columns) - 1;
            (int low, int high) = Computed<V>(c);
            V position = V.Load(positions, c);
            // Visible from KeyHigh(c) on only to later columns of the lane: those that the key's queries begin with.
            for (int j = Math.Max(low, KeyHigh(c)); j < high; j++)
            {
                V s = V.Load(scores, j * row + c);
                V.Store(scores, j * row + c, V.SelectGreater(position, V.Constant(QueryStart(offset + j) - 0.5), s, hidden));
            }

            // Out of the window of later columns before KeyLow(last).
            for (int j = low, end = Math.Min(high, KeyLow(last)); j < end; j++)
            {
                V s = V.Load(scores, j * row + c);
                V.Store(scores, j * row + c, V.SelectGreater(V.Constant(QueryEnd(offset + j) - 0.5), position, s, hidden));
            }
        }
    }

    /// <summary>Adds factor · (c of a column's query − c of a key) to all scores that are visible; c are running sums of log decays.</summary>
    /// <param name="scores">[Keys, row].</param>
    /// <param name="queries">c of the queries, [Group, queryRow].</param>
    /// <param name="keySums">c of the keys, [Group, keyRow].</param>
    public void AddDecay<V>(void* scores, nint row, void* queries, nint queryRow, void* keySums, nint keyRow, double factor)
        where V : struct, ICpuLane<V>
    {
        if (group > 1)
        {
            AddGroupDecay<V>(scores, row, queries, queryRow, keySums, keyRow, factor);
            return;
        }

        V scale = V.Constant(factor);
        for (int c = 0; c < columns; c += V.Width)
        {
            int low = KeyLow(c), high = KeyHigh(Math.Min(c + V.Width, columns) - 1);
            V query = c + V.Width <= columns ? V.Load(queries, c) : V.LoadPart(queries, c, columns - c);
            for (int j = low; j < high; j++)
            {
                V.Store(scores, j * row + c, V.MultiplyAdd(scale, query - V.Splat(keySums, j), V.Load(scores, j * row + c)));
            }
        }
    }

    /// <summary>All scores s that may be visible become cap · tanh(s / cap).</summary>
    /// <param name="scores">[Keys, row].</param>
    /// <param name="cap">In the scores' unit; 0 for none.</param>
    public void Cap<V>(void* scores, nint row, double cap)
        where V : struct, ICpuLane<V>
    {
        V most = V.Constant(cap), per = V.Constant(1 / cap);
        for (int c = 0; c < columns && cap > 0; c += V.Width)
        {
            int low = KeyLow(c), high = KeyHigh(Math.Min(c + V.Width, columns) - 1);
            for (int j = low; j < high; j++)
            {
                V.Store(scores, j * row + c, most * V.Tanh(per * V.Load(scores, j * row + c)));
            }
        }
    }

    /// <summary>sums[j] −= Σ over the columns that see key j of values[j, column] (Group = 1).</summary>
    /// <param name="values">[Keys, row], 0 where the column does not see the key.</param>
    public void SubtractRowSums<V>(void* values, nint row, void* sums)
        where V : struct, ICpuLane<V>
    {
        for (int j = 0; j < keys; j++)
        {
            V sum = default;
            int high = ColumnHigh(j);
            for (int c = ColumnLow(j) / V.Width * V.Width; c < high; c += V.Width)
            {
                sum += c + V.Width <= columns ? V.Load(values, j * row + c) : V.LoadPart(values, j * row + c, columns - c);
            }

            Element.Set<V>(sums, j, Element.Get<V>(sums, j) - V.Sum(sum));
        }
    }

    /// <summary>Writes −∞, or another value, where the documents of key and column differ (Group = 1), for documents that come back and so have no spans.</summary>
    public void HideDocuments<V>(void* scores, nint row, int* keyDocuments, int* columnDocuments, double value)
        where V : struct, ICpuLane<V>
    {
        for (int j = 0; j < keys; j++)
        {
            int document = keyDocuments[j];
            int high = ColumnHigh(j);
            for (int c = ColumnLow(j); c < high; c++)
            {
                if (columnDocuments[c] != document)
                {
                    Element.Set<V>(scores, j * row + c, value);
                }
            }
        }
    }

    // Every column of a group has a head, and so sums, of its own: those of a key repeat from group to group, and lanes begin anywhere in it.
    private void AddGroupDecay<V>(void* scores, nint row, void* queries, nint queryRow, void* keySums, nint keyRow, double factor)
        where V : struct, ICpuLane<V>
    {
        int padded = LaneSize.Of<V>().Padded(columns), repeated = group + V.Width, size = (int)Element.Size<V>();
        byte* own = stackalloc byte[(padded + repeated) * size], other = own + (padded * size);
        for (int c = 0; c < padded; c++)
        {
            int column = Math.Min(c, columns - 1);
            Element.Set<V>(own, c, Element.Get<V>(queries, (column % group * queryRow) + (column / group)));
        }

        V scale = V.Constant(factor);
        for (int j = 0; j < keys; j++)
        {
            int c = ColumnLow(j) / V.Width * V.Width, high = ColumnHigh(j);
            for (int i = 0; i < repeated && c < high; i++)
            {
                Element.Set<V>(other, i, Element.Get<V>(keySums, (i % group * keyRow) + j));
            }

            for (; c < high; c += V.Width)
            {
                V between = V.Load(own, c) - V.Load(other, c % group);
                V.Store(scores, (j * row) + c, V.MultiplyAdd(scale, between, V.Load(scores, (j * row) + c)));
            }
        }
    }

    // The keys that columns of the tiles see that a lane has a part in.
    private (int From, int To) OfTiles<V>(int column)
        where V : struct, ICpuLane<V>
    {
        int height = Tiles.Height<V>();
        return (KeyLow(column / height * height), KeyHigh(Math.Min(columns, BlockSizes.Count(column + V.Width, height) * height) - 1));
    }

    private static void ZeroAround<V>(void* values, nint row, int from, int to, int low, int high)
        where V : struct, ICpuLane<V>
    {
        for (int j = from, end = Math.Min(low, high); j < end; j++)
        {
            V.Store(values, j * row, default);
        }

        for (int j = Math.Max(from, high); j < to; j++)
        {
            V.Store(values, j * row, default);
        }
    }

    // The bounds of the rule within documents, by positions.
    private int Start(int query) => documents.IsNone ? rule.Start(query) : Math.Max(rule.Start(query), documents.Start(query));

    private int End(int query) => documents.IsNone ? rule.End(query) : Math.Min(rule.End(query), documents.End(query));

    private int QueryStart(int key) => documents.IsNone ? rule.QueryStart(key) : Math.Max(rule.QueryStart(key), documents.Start(key));

    private int QueryEnd(int key) => documents.IsNone ? rule.QueryEnd(key) : Math.Min(rule.QueryEnd(key), documents.End(key));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Position(int column) => group == 1 ? column : column / group;

    private static int Clamp(int value, int high) => value < 0 ? 0 : value > high ? high : value;
}
