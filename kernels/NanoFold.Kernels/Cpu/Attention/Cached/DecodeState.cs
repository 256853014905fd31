using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Attention of one query column over a cache, row by row: what decoding needs, where every key is read once and there is nothing
/// to share in registers. Online softmax as in <see cref="OnlineSoftmax"/>.
/// </summary>
internal readonly unsafe struct DecodeState
{
    private const double Lowest = -1e30;

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

    /// <summary>A score without a value joins, before any key was seen.</summary>
    public void Join<V>(double score)
        where V : struct, ICpuLane<V>
    {
        Element.Set<V>(_state, 0, score);
        Element.Set<V>(_state, 1, 1);
    }

    /// <summary>Takes in keys and values that are all visible.</summary>
    /// <param name="rows">Keys and values.</param>
    /// <param name="own">The query's running sum of log decays.</param>
    /// <param name="decays">Those of the keys, or null.</param>
    /// <param name="cap">At which scores level off; 0 for none.</param>
    public void Add<V>(in CacheRows rows, double own, void* decays, double cap)
        where V : struct, ICpuLane<V>
    {
        DecodeDots.Scores<V>(rows, Query, _depth, _valueDepth, _scores);
        int count = rows.Count;
        for (int j = 0; cap > 0 && j < count; j += V.Width)
        {
            V.Store(_scores, j, V.Constant(cap) * V.Tanh(V.Load(_scores, j) * V.Constant(1 / cap)));
        }

        for (int j = 0; decays is not null && j < count; j += V.Width)
        {
            V sums = j + V.Width <= count ? V.Load(decays, j) : V.LoadPart(decays, j, count - j);
            V.Store(_scores, j, V.Load(_scores, j) + (V.Constant(own) - sums));
        }

        int padded = LaneSize.Of<V>().Padded(count);
        for (int j = count; j < padded; j++)
        {
            Element.Set<V>(_scores, j, double.NegativeInfinity);
        }

        V before = V.Splat(_state, 0), highest = before;
        for (int j = 0; j < padded; j += V.Width)
        {
            highest = V.Max(highest, V.Load(_scores, j));
        }

        double maximum = V.Largest(highest);
        highest = V.Constant(maximum);
        V correction = SoftmaxExp.Of(before - highest), sum = default;
        for (int j = 0; j < padded; j += V.Width)
        {
            V p = SoftmaxExp.Of(V.Load(_scores, j) - highest);
            V.Store(_scores, j, p);
            sum += p;
        }

        V total = V.MultiplyAdd(V.Splat(_state, 1), correction, V.Constant(V.Sum(sum)));
        Element.Set<V>(_state, 0, maximum);
        V.StorePart(_state, 1, 1, total);
        Accumulate(rows.Values, rows.ValueRow, count, correction);
    }

    /// <summary>Output divided by the sum of weights; 0 where no key was seen.</summary>
    public void Finish<V>(void* y)
        where V : struct, ICpuLane<V>
    {
        double sum = Element.Get<V>(_state, 1);
        HeadRow.Write(_output, y, _valueDepth, V.Constant(sum == 0 ? 0 : 1 / sum));
    }

    /// <summary>Maximum, sum and unnormalized output, for <see cref="CachedCombineWork"/>.</summary>
    public void Export<V>(void* target)
        where V : struct, ICpuLane<V>
    {
        Element.Set<V>(target, 0, Element.Get<V>(_state, 0));
        Element.Set<V>(target, 1, Element.Get<V>(_state, 1));
        HeadRow.Write(_output, Element.At<V>(target, 2), _valueDepth, V.Constant(1));
    }

    /// <summary>output = correction · output + Σ weight · value, eight or four lanes of it in registers at a time.</summary>
    private void Accumulate<V>(void* values, nint valueRow, int count, V correction)
        where V : struct, ICpuLane<V>
    {
        int whole = _valueDepth / V.Width * V.Width, i = 0;
        for (; i + 8 * V.Width <= whole; i += 8 * V.Width)
        {
            Eight(Element.At<V>(values, i), valueRow, count, Element.At<V>(_output, i), correction);
        }

        for (; i + 4 * V.Width <= whole; i += 4 * V.Width)
        {
            Four(Element.At<V>(values, i), valueRow, count, Element.At<V>(_output, i), correction);
        }

        for (; i + V.Width <= _valueDepth; i += V.Width)
        {
            One(Element.At<V>(values, i), valueRow, count, Element.At<V>(_output, i), correction);
        }

        if (typeof(V) == typeof(Lane16) && i + Lane8.Width == _valueDepth)
        {
            One(Element.At<V>(values, i), valueRow, count, Element.At<V>(_output, i), Lane8.Constant(V.Largest(correction)));
            i += Lane8.Width;
        }

        if (i < _valueDepth)
        {
            int rest = _valueDepth - i;
            V y = V.Load(_output, i) * correction;
            for (int j = 0; j < count; j++)
            {
                y = V.MultiplyAdd(V.Splat(_scores, j), V.LoadPart(Element.At<V>(values, j * valueRow + i), 0, rest), y);
            }

            V.Store(_output, i, y);
        }
    }

    /// <summary>A single lane of the output: four sums over the keys, as each would wait for the addition before.</summary>
    private void One<V>(void* values, nint valueRow, int count, void* output, V correction)
        where V : struct, ICpuLane<V>
    {
        V y0 = V.Load(output, 0) * correction, y1 = default, y2 = default, y3 = default;
        nint j = 0;
        for (; j + 4 <= count; j += 4)
        {
            void* row = Element.At<V>(values, j * valueRow);
            y0 = V.MultiplyAdd(V.Splat(_scores, j), V.Load(row, 0), y0);
            y1 = V.MultiplyAdd(V.Splat(_scores, j + 1), V.Load(row, valueRow), y1);
            y2 = V.MultiplyAdd(V.Splat(_scores, j + 2), V.Load(row, 2 * valueRow), y2);
            y3 = V.MultiplyAdd(V.Splat(_scores, j + 3), V.Load(row, 3 * valueRow), y3);
        }

        for (; j < count; j++)
        {
            y0 = V.MultiplyAdd(V.Splat(_scores, j), V.Load(values, j * valueRow), y0);
        }

        V.Store(output, 0, (y0 + y1) + (y2 + y3));
    }

    private void Eight<V>(void* values, nint valueRow, int count, void* output, V correction)
        where V : struct, ICpuLane<V>
    {
        V y0 = V.Load(output, 0) * correction;
        V y1 = V.Load(output, V.Width) * correction;
        V y2 = V.Load(output, 2 * V.Width) * correction;
        V y3 = V.Load(output, 3 * V.Width) * correction;
        V y4 = V.Load(output, 4 * V.Width) * correction;
        V y5 = V.Load(output, 5 * V.Width) * correction;
        V y6 = V.Load(output, 6 * V.Width) * correction;
        V y7 = V.Load(output, 7 * V.Width) * correction;
        for (nint j = 0; j < count; j++)
        {
            void* row = Element.At<V>(values, j * valueRow);
            V p = V.Splat(_scores, j);
            y0 = V.MultiplyAdd(p, V.Load(row, 0), y0);
            y1 = V.MultiplyAdd(p, V.Load(row, V.Width), y1);
            y2 = V.MultiplyAdd(p, V.Load(row, 2 * V.Width), y2);
            y3 = V.MultiplyAdd(p, V.Load(row, 3 * V.Width), y3);
            y4 = V.MultiplyAdd(p, V.Load(row, 4 * V.Width), y4);
            y5 = V.MultiplyAdd(p, V.Load(row, 5 * V.Width), y5);
            y6 = V.MultiplyAdd(p, V.Load(row, 6 * V.Width), y6);
            y7 = V.MultiplyAdd(p, V.Load(row, 7 * V.Width), y7);
        }

        V.Store(output, 0, y0);
        V.Store(output, V.Width, y1);
        V.Store(output, 2 * V.Width, y2);
        V.Store(output, 3 * V.Width, y3);
        V.Store(output, 4 * V.Width, y4);
        V.Store(output, 5 * V.Width, y5);
        V.Store(output, 6 * V.Width, y6);
        V.Store(output, 7 * V.Width, y7);
    }

    private void Four<V>(void* values, nint valueRow, int count, void* output, V correction)
        where V : struct, ICpuLane<V>
    {
        V y0 = V.Load(output, 0) * correction;
        V y1 = V.Load(output, V.Width) * correction;
        V y2 = V.Load(output, 2 * V.Width) * correction;
        V y3 = V.Load(output, 3 * V.Width) * correction;
        for (nint j = 0; j < count; j++)
        {
            void* row = Element.At<V>(values, j * valueRow);
            V p = V.Splat(_scores, j);
            y0 = V.MultiplyAdd(p, V.Load(row, 0), y0);
            y1 = V.MultiplyAdd(p, V.Load(row, V.Width), y1);
            y2 = V.MultiplyAdd(p, V.Load(row, 2 * V.Width), y2);
            y3 = V.MultiplyAdd(p, V.Load(row, 3 * V.Width), y3);
        }

        V.Store(output, 0, y0);
        V.Store(output, V.Width, y1);
        V.Store(output, 2 * V.Width, y2);
        V.Store(output, 3 * V.Width, y3);
    }
}
