using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>Whole rows of scores of one block of query columns, for selections that need all of a row; and the rows kept of them.</summary>
internal readonly unsafe struct ScoreRows
{
    private readonly int _columns, _keep, _depth;
    private readonly nint _rowLength;
    private readonly void* _rows, _weights;
    private readonly int* _kept;

    /// <param name="memory">As many bytes as <see cref="Bytes"/> of the same sizes at null says.</param>
    public ScoreRows(void* memory, int columns, int depth, int valueDepth, int keys, int keep, LaneSize lane)
    {
        var cursor = new ScratchCursor(memory);
        _columns = lane.Padded(columns);
        _keep = keep;
        _depth = depth;
        _rowLength = lane.Padded(keys);
        Queries = cursor.Take((long)_columns * depth * lane.Bytes);
        Positions = cursor.Take((long)_columns * lane.Bytes);
        Scores = cursor.Take((long)BlockSizes.Keys * _columns * lane.Bytes);
        _rows = cursor.Take(columns * (long)_rowLength * lane.Bytes);
        _weights = cursor.Take((long)lane.Padded(keep) * lane.Bytes);
        _kept = (int*)cursor.Take((long)keep * sizeof(int));
        Output = cursor.Take((long)lane.Padded(valueDepth) * lane.Bytes);
        Bytes = cursor.Used;
    }

    /// <summary>Room for the columns' queries, packed by <see cref="BlockPacking.Transposed{V}"/>.</summary>
    public void* Queries { get; }

    /// <summary>Position of each column within the block.</summary>
    public void* Positions { get; }

    /// <summary>Block of scores, key by key.</summary>
    public void* Scores { get; }

    /// <summary>One padded row of values.</summary>
    public void* Output { get; }

    public long Bytes { get; }

    /// <summary>Indices of what <see cref="Select{V}"/> kept, ascending.</summary>
    public int* Kept => _kept;

    /// <summary>Scores of one block of keys, masked; invisible ones become −∞.</summary>
    /// <param name="firstIndex">Where the block's first key stands in the rows.</param>
    public void Add<V>(in BlockMask mask, void* keys, nint keyRow, int firstIndex, int* keyDocuments, int* columnDocuments)
        where V : struct, ICpuLane<V>
    {
        mask.Products<V>(keys, keyRow, _depth, Queries, Scores, _columns);
        mask.Apply<V>(Scores, _columns, Positions);
        if (keyDocuments is not null)
        {
            mask.ApplyDocuments<V>(Scores, _columns, keyDocuments, columnDocuments);
        }

        for (int c = 0; c < mask.Columns; c++)
        {
            void* row = Element.At<V>(_rows, c * _rowLength + firstIndex);
            int low = mask.KeyLow(c), high = mask.KeyHigh(c);
            Element.Fill<V>(row, Math.Min(low, high), double.NegativeInfinity);
            Element.CopyStrided<V>(Element.At<V>(Scores, (nint)low * _columns + c), _columns, Element.At<V>(row, low), high - low);
            Element.Fill<V>(Element.At<V>(row, high), mask.Keys - high, double.NegativeInfinity);
        }
    }

    /// <summary>Begins rows of <paramref name="count"/> keys that nothing is visible in.</summary>
    public void Hide<V>(int count, int columns)
        where V : struct, ICpuLane<V>
    {
        for (int c = 0; c < columns; c++)
        {
            Element.Fill<V>(Element.At<V>(_rows, c * _rowLength), count, double.NegativeInfinity);
        }
    }

    /// <summary>Keeps the largest scores of a column; see <see cref="LargestScores"/>.</summary>
    /// <returns>How many were kept.</returns>
    public int Select<V>(int column, int count, out double logSumExp)
        where V : struct, ICpuLane<V>
    {
        void* row = Element.At<V>(_rows, column * _rowLength);
        int kept = LargestScores.Select<V>(row, count, _keep, _kept, out int unordered);
        double maximum = kept > 0 ? double.NegativeInfinity : 0;
        for (int i = 0; i < kept; i++)
        {
            maximum = Math.Max(maximum, Element.Get<V>(row, _kept[i]));
        }

        for (int i = 0; i < kept; i++)
        {
            Element.Set<V>(_weights, i, Element.Get<V>(row, _kept[i]) - maximum);
        }

        double sum = unordered < 0 ? 0 : double.NaN;
        for (int i = 0; i < kept; i += V.Width)
        {
            int part = Math.Min(V.Width, kept - i);
            V weight = SoftmaxExp.Of(V.Load(_weights, i));
            V.Store(_weights, i, weight);
            for (int e = i; e < i + part; e++)
            {
                sum += Element.Get<V>(_weights, e);
            }
        }

        for (int i = 0; i < kept; i++)
        {
            Element.Set<V>(_weights, i, Element.Get<V>(_weights, i) / sum);
        }

        logSumExp = maximum + Math.Log(sum);
        return kept;
    }

    /// <summary>Softmax weight of the i-th kept key, in every element.</summary>
    public V Weight<V>(int index)
        where V : struct, ICpuLane<V>
        => V.Splat(_weights, index);
}
