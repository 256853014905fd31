using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// Attention of one query column over a cache, row by row: what decoding needs, where every key is read once and there is nothing
/// to share in registers. Online softmax as in <see cref="OnlineSoftmax"/>.
/// </summary>
internal readonly unsafe struct DecodeState
{
    private const double Lowest = -1e30;
    private const int OutputLanes = 4;

    private readonly int _depth, _valueDepth, _paddedDepth;
    private readonly void* _scores, _state, _output;

    public DecodeState(void* memory, int depth, int valueDepth, LaneSize lane)
    {
        var cursor = new ScratchCursor(memory);
        _depth = depth;
        _valueDepth = valueDepth;
        _paddedDepth = lane.Padded(valueDepth);
        Query = cursor.Take((long)lane.Padded(depth) * lane.Bytes);
        _scores = cursor.Take((long)lane.Padded(BlockSizes.Keys) * lane.Bytes);
        _state = cursor.Take(2L * lane.Bytes);
        _output = cursor.Take((long)_paddedDepth * lane.Bytes);
        Bytes = cursor.Used;
    }

    /// <summary>The scaled query, [D].</summary>
    public void* Query { get; }

    public long Bytes { get; }

    public void Reset<V>(void* query, double scale)
        where V : struct, ICpuLane<V>
    {
        HeadRow.Write(query, Query, _depth, V.Constant(scale));
        Element.Set<V>(_state, 0, Lowest);
        Element.Set<V>(_state, 1, 0);
        HeadRow.Zero<V>(_output, _paddedDepth);
    }

    /// <summary>Takes in <paramref name="count"/> keys and values, all visible.</summary>
    public void Add<V>(void* keys, nint keyRow, void* values, nint valueRow, int count)
        where V : struct, ICpuLane<V>
    {
        double before = Element.Get<V>(_state, 0), maximum = before;
        for (int j = 0; j < count; j++)
        {
            double score = HeadRow.Dot<V>(Query, Element.At<V>(keys, j * keyRow), _depth);
            Element.Set<V>(_scores, j, score);
            // Keeps what is not a number.
            maximum = score <= maximum ? maximum : score;
        }

        int padded = LaneSize.Of<V>().Padded(count);
        for (int j = count; j < padded; j++)
        {
            Element.Set<V>(_scores, j, double.NegativeInfinity);
        }

        V highest = V.Constant(maximum), correction = SoftmaxExp.Of(V.Constant(before) - highest), sum = default;
        for (int j = 0; j < padded; j += V.Width)
        {
            V p = SoftmaxExp.Of(V.Load(_scores, j) - highest);
            V.Store(_scores, j, p);
            sum += p;
        }

        V total = V.MultiplyAdd(V.Splat(_state, 1), correction, V.Constant(V.Sum(sum)));
        Element.Set<V>(_state, 0, maximum);
        V.StorePart(_state, 1, 1, total);
        Accumulate(values, valueRow, count, correction);
    }

    /// <summary>Output divided by the sum of weights; 0 where no key was seen.</summary>
    public void Finish<V>(void* y)
        where V : struct, ICpuLane<V>
    {
        double sum = Element.Get<V>(_state, 1);
        HeadRow.Write(_output, y, _valueDepth, V.Constant(sum == 0 ? 0 : 1 / sum));
    }

    /// <summary>Maximum, sum and unnormalised output, for <see cref="CachedCombineWork"/>.</summary>
    public void Export<V>(void* target)
        where V : struct, ICpuLane<V>
    {
        Element.Set<V>(target, 0, Element.Get<V>(_state, 0));
        Element.Set<V>(target, 1, Element.Get<V>(_state, 1));
        HeadRow.Write(_output, Element.At<V>(target, 2), _valueDepth, V.Constant(1));
    }

    /// <summary>output = correction · output + Σ weight · value, four lanes of it in registers at a time.</summary>
    private void Accumulate<V>(void* values, nint valueRow, int count, V correction)
        where V : struct, ICpuLane<V>
    {
        int whole = _valueDepth / V.Width * V.Width, i = 0;
        for (; i + OutputLanes * V.Width <= whole; i += OutputLanes * V.Width)
        {
            V y0 = V.Load(_output, i) * correction;
            V y1 = V.Load(_output, i + V.Width) * correction;
            V y2 = V.Load(_output, i + 2 * V.Width) * correction;
            V y3 = V.Load(_output, i + 3 * V.Width) * correction;
            for (int j = 0; j < count; j++)
            {
                void* row = Element.At<V>(values, j * valueRow + i);
                V p = V.Splat(_scores, j);
                y0 = V.MultiplyAdd(p, V.Load(row, 0), y0);
                y1 = V.MultiplyAdd(p, V.Load(row, V.Width), y1);
                y2 = V.MultiplyAdd(p, V.Load(row, 2 * V.Width), y2);
                y3 = V.MultiplyAdd(p, V.Load(row, 3 * V.Width), y3);
            }

            V.Store(_output, i, y0);
            V.Store(_output, i + V.Width, y1);
            V.Store(_output, i + 2 * V.Width, y2);
            V.Store(_output, i + 3 * V.Width, y3);
        }

        for (; i < _valueDepth; i += V.Width)
        {
            int rest = Math.Min(V.Width, _valueDepth - i);
            V y = V.Load(_output, i) * correction;
            for (int j = 0; j < count; j++)
            {
                void* row = Element.At<V>(values, j * valueRow + i);
                y = V.MultiplyAdd(V.Splat(_scores, j), rest == V.Width ? V.Load(row, 0) : V.LoadPart(row, 0, rest), y);
            }

            V.Store(_output, i, y);
        }
    }
}
