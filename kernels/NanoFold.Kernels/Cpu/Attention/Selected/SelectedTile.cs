using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>
/// Scores of a few columns, gathered from anywhere, and a run of keys: scores[j, i] with key j in rows, so that every reduction is across rows. The columns
/// ascend, hence so does how many of the keys each one sees.
/// </summary>
internal readonly unsafe struct SelectedTile
{
    /// <summary>Columns at most: three pairs of the widest lanes.</summary>
    public const int Columns = 96;

    private readonly SelectedProblem _problem;
    private readonly int* _ends, _queries, _heads;
    private readonly void** _rows;

    public SelectedTile(ref ScratchCursor cursor, in SelectedProblem problem, LaneSize lane)
    {
        _problem = problem;
        _ends = (int*)cursor.Take(Columns * sizeof(int));
        _queries = (int*)cursor.Take(Columns * sizeof(int));
        _heads = (int*)cursor.Take(Columns * sizeof(int));
        _rows = (void**)cursor.Take(Columns * sizeof(void*));
        Queries = cursor.Take((long)Columns * problem.Depth * lane.Bytes);
        Scores = cursor.Take((long)BlockSizes.Keys * Columns * lane.Bytes);
    }

    /// <summary>The columns' queries in columns, scaled so that scores are in bits.</summary>
    public void* Queries { get; }

    /// <summary>[keys, <see cref="Columns"/>].</summary>
    public void* Scores { get; }

    /// <summary>The query that a column is.</summary>
    public int Query(int column) => _queries[column];

    /// <summary>Its head.</summary>
    public int Head(int column) => _heads[column];

    /// <summary>Keys of the run that a column sees.</summary>
    public int End(int column) => _ends[column];

    /// <summary>Keys that some of the columns from this one on to the end of its lane see, of <paramref name="count"/> columns.</summary>
    public int LaneEnd<V>(int column, int count)
        where V : struct, ICpuLane<V>
        => _ends[Math.Min((column / V.Width * V.Width) + V.Width, count) - 1];

    /// <summary>Columns of <paramref name="count"/> that a tile takes: tiles of nearly equal size, in whole pairs of lanes.</summary>
    public static int Width(int count) => Math.Min(count, BlockSizes.Queries(count));

    /// <summary>Says how far the columns see into keys [first, first + keys); false where none of them sees any.</summary>
    public bool Start(in ColumnLists lists, ReadOnlySpan<int> columns, int batch, int first, int keys)
    {
        for (int i = 0; i < columns.Length; i++)
        {
            _queries[i] = lists.Query(columns[i]);
            _heads[i] = lists.Head(columns[i]);
            _ends[i] = Math.Clamp(_problem.End(batch, _queries[i]) - first, 0, keys);
        }

        return _ends[columns.Length - 1] > 0;
    }

    /// <summary>Packs rows of a tensor in columns.</summary>
    public void Pack<V>(int count, int batch, in HeadRows source, int depth, void* panels, double scale)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < count; i++)
        {
            _rows[i] = source.Row<V>(batch, _queries[i], _heads[i]);
        }

        BlockPacking.Gathered<V>(_rows, count, depth, panels, scale);
    }

    /// <summary>target[j, i] = Σ_d keys[j, d] · panels[d, i].</summary>
    public void Products<V>(void* keys, nint keyRow, int depth, void* panels, int count, void* target)
        where V : struct, ICpuLane<V>
    {
        int padded = LaneSize.Of<V>().Padded(count);
        for (int c = 0; c < padded; c += 2 * V.Width)
        {
            int width = Math.Min(2 * V.Width, padded - c), rows = _ends[Math.Min(c + width, count) - 1];
            if (rows > 0)
            {
                Tiles.Down<V>(keys, keyRow, rows, depth, Element.At<V>(panels, (nint)c * depth), width, Element.At<V>(target, c), Columns);
            }
        }
    }

    /// <summary>Writes −∞ to the scores within the reach of each lane that its columns do not see.</summary>
    public void Hide<V>(int count, int batch, int first)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < count && _ends[i] < _ends[count - 1]; i++)
        {
            int end = LaneEnd<V>(i, count);
            for (int j = _ends[i]; j < end; j++)
            {
                Element.Set<V>(Scores, (j * (nint)Columns) + i, double.NegativeInfinity);
            }
        }

        if (_problem.HasDocuments)
        {
            HideDocuments<V>(count, batch, first);
        }
    }

    /// <summary>Zeros where a lane's columns see no key, up to the last key that any column sees: tiles of its neighbors read them.</summary>
    public void ZeroRest<V>(void* values, int column, int count)
        where V : struct, ICpuLane<V>
    {
        for (int j = LaneEnd<V>(column, count); j < _ends[count - 1]; j++)
        {
            V.Store(values, (j * (nint)Columns) + column, default);
        }
    }

    private void HideDocuments<V>(int count, int batch, int first)
        where V : struct, ICpuLane<V>
    {
        int keys = _ends[count - 1], own = _problem.DocumentOfKey(batch, first);
        bool isOne = true;
        for (int j = 1; j < keys && isOne; j++)
        {
            isOne = _problem.DocumentOfKey(batch, first + j) == own;
        }

        for (int i = 0; i < count; i++)
        {
            int document = _problem.DocumentOfQuery(batch, _queries[i]);
            for (int j = 0; j < _ends[i] && !(isOne && document == own); j++)
            {
                if (_problem.DocumentOfKey(batch, first + j) != document)
                {
                    Element.Set<V>(Scores, (j * (nint)Columns) + i, double.NegativeInfinity);
                }
            }
        }
    }
}
