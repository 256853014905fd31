using System.Numerics;
using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// State of a block of query columns while key blocks pass by: running maximum, sum of exponentials and unnormalized output
/// (FlashAttention, arXiv 2205.14135). Scores lie key by key, so that every reduction is across rows and never inside a lane.
/// </summary>
internal readonly unsafe struct OnlineSoftmax
{
    /// <summary>Below any score; finite, so that a row that saw nothing yet gives exp(0) and not exp(∞ − ∞).</summary>
    private const double Lowest = -1e30;

    private readonly int _columns, _valueDepth, _valueLanes;
    private readonly nint _outputRow;
    private readonly void* _maximum, _sum, _correction, _output;

    /// <param name="memory">As many bytes as <see cref="Bytes"/> of the same sizes at null says.</param>
    /// <param name="columns">Most columns a block has.</param>
    public OnlineSoftmax(void* memory, int columns, int depth, int valueDepth, LaneSize lane)
    {
        var scratch = new ScratchCursor(memory);
        _columns = lane.Padded(columns);
        _valueDepth = valueDepth;
        _valueLanes = lane.Lanes(valueDepth);
        _outputRow = lane.Padded(valueDepth);
        Queries = scratch.Take((long)_columns * depth * lane.Bytes);
        _maximum = scratch.Take((long)_columns * lane.Bytes);
        _sum = scratch.Take((long)_columns * lane.Bytes);
        _correction = scratch.Take((long)_columns * lane.Bytes);
        _output = scratch.Take(_columns * (long)_outputRow * lane.Bytes);
        Bytes = scratch.Used;
    }

    /// <summary>The columns' queries, packed and scaled so that scores are in bits.</summary>
    public void* Queries { get; }

    public long Bytes { get; }

    /// <summary>Starts anew with the queries of <paramref name="rows"/> columns; see <see cref="BlockPacking.Transposed{V}"/>.</summary>
    /// <param name="clears">Whether output is set to 0, for blocks that are all added.</param>
    public void Start<V>(void* queries, nint timeStride, nint headStride, int group, int rows, int depth, double scale, bool clears = true)
        where V : struct, ICpuLane<V>
    {
        BlockPacking.Transposed<V>(queries, timeStride, headStride, group, rows, depth, Queries, scale * SoftmaxPower.BitsPerNat);
        V lowest = V.Constant(Lowest);
        for (int c = 0; c < _columns; c += V.Width)
        {
            V.Store(_maximum, c, lowest);
            V.Store(_sum, c, default);
        }

        if (clears)
        {
            Clear<V>();
        }
    }

    /// <summary>Output as of columns that saw no key.</summary>
    public void Clear<V>()
        where V : struct, ICpuLane<V>
        => HeadRow.Zero<V>(_output, _columns * _outputRow);

    /// <summary>A score in nats without a value joins the columns from <paramref name="first"/> on, which have seen no key yet.</summary>
    public void Join<V>(int first, int count, double score)
        where V : struct, ICpuLane<V>
    {
        for (int c = first; c < first + count; c++)
        {
            Element.Set<V>(_maximum, c, score * SoftmaxPower.BitsPerNat);
            Element.Set<V>(_sum, c, 1);
        }
    }

    /// <summary>Takes in one block of masked scores [keys, scoreRow] and its values; scores become exponentials.</summary>
    /// <param name="values">Rows of the block's keys.</param>
    /// <param name="isFirst">Whether output is written and not added to.</param>
    public void Add<V>(in BlockMask mask, void* scores, nint scoreRow, in RowPanels values, bool isFirst = false)
        where V : struct, ICpuLane<V>
    {
        Exponentiate<V>(mask, scores, scoreRow, isFirst);
        mask.Across<V, SumEnd>(scores, scoreRow, values, 0, _output, _outputRow, isFirst ? null : _output, _outputRow, default);
    }

    /// <summary>The same for the last block: outputs divided by their sums go straight to y, whose rows are whole lanes.</summary>
    public void AddLast<V>(in BlockMask mask, void* scores, nint scoreRow, in RowPanels values, bool isFirst, void* y, nint yRow)
        where V : struct, ICpuLane<V>
    {
        Exponentiate<V>(mask, scores, scoreRow, isFirst);
        Divisors<V>(0, mask.Columns);
        mask.Across<V, FactorEnd>(
            scores, scoreRow, values, 0, y, yRow, isFirst ? null : _output, _outputRow, new FactorEnd(_correction, Element.Size<V>()));
    }

    /// <summary>Outputs of columns [first, first + rows), divided by their sums; 0 where they saw no key.</summary>
    /// <param name="first">A multiple of the lane's width, or any column where <paramref name="rows"/> is 1.</param>
    public void Finish<V>(int first, int rows, void* y, nint yRow)
        where V : struct, ICpuLane<V>
    {
        Divisors<V>(first, rows);
        HeadRow.WriteRows<V>(
            Element.At<V>(_output, first * _outputRow), _outputRow, y, yRow, rows, _valueDepth, Element.At<V>(_correction, first), 1);
    }

    /// <summary>Maximum in nats, sum and unnormalized output of one column, for <see cref="CachedCombineWork"/>.</summary>
    public void Export<V>(int column, void* target)
        where V : struct, ICpuLane<V>
    {
        Element.Set<V>(target, 0, Element.Get<V>(_maximum, column) * SoftmaxPower.NatsPerBit);
        Element.Set<V>(target, 1, Element.Get<V>(_sum, column));
        HeadRow.Write(Element.At<V>(_output, column * _outputRow), Element.At<V>(target, 2), _valueDepth, V.Constant(1));
    }

    /// <summary>maximum + ln sum, in nats, for the first <paramref name="count"/> columns.</summary>
    public void WriteLogSumExp<V>(void* target, int count)
        where V : struct, ICpuLane<V>
    {
        for (int c = 0; c < count; c += V.Width)
        {
            V value = V.MultiplyAdd(V.Load(_maximum, c), V.Constant(SoftmaxPower.NatsPerBit), V.Log(V.Load(_sum, c)));
            if (c + V.Width <= count)
            {
                V.Store(target, c, value);
            }
            else
            {
                V.StorePart(target, c, count - c, value);
            }
        }
    }

    private void Exponentiate<V>(in BlockMask mask, void* scores, nint scoreRow, bool isFirst)
        where V : struct, ICpuLane<V>
    {
        for (int c = 0; c < mask.Columns; c += V.Width)
        {
            int low = mask.KeyLow(c), high = mask.KeyHigh(Math.Min(c + V.Width, mask.Columns) - 1);
            Exponentiate<V>(Element.At<V>(scores, c), scoreRow, low, high, c, isFirst);
            mask.ZeroMargin<V>(Element.At<V>(scores, c), scoreRow, c, low, high);
        }
    }

    /// <summary>1 / sum of columns, 0 where it is 0.</summary>
    private void Divisors<V>(int first, int rows)
        where V : struct, ICpuLane<V>
    {
        V zero = default, one = V.Constant(1);
        int start = first / V.Width * V.Width;
        for (int c = start; c < first + rows; c += V.Width)
        {
            V sum = V.Load(_sum, c);
            // Not a number is neither 0 nor above it, and stays.
            V isEmpty = V.SelectGreater(sum, zero, zero, V.SelectGreater(one, sum, one, zero));
            V.Store(_correction, c, (one - isEmpty) / (sum + isEmpty));
        }
    }

    private void Exponentiate<V>(void* scores, nint scoreRow, int low, int high, int column, bool isFirst)
        where V : struct, ICpuLane<V>
    {
        V before = V.Load(_maximum, column);
        V maximum = before, other = before;
        nint next = low;
        for (; next + 2 <= high; next += 2)
        {
            maximum = V.Max(maximum, V.Load(scores, next * scoreRow));
            other = V.Max(other, V.Load(scores, (next + 1) * scoreRow));
        }

        maximum = V.Max(maximum, next < high ? V.Max(other, V.Load(scores, next * scoreRow)) : other);

        V correction = SoftmaxPower.Of(before - maximum);
        V sum = V.Load(_sum, column) * correction;
        for (nint j = low, i = low * scoreRow; j < high; j++, i += scoreRow)
        {
            V p = SoftmaxPower.Of(V.Load(scores, i) - maximum);
            V.Store(scores, i, p);
            sum += p;
        }

        V.Store(_maximum, column, maximum);
        V.Store(_sum, column, sum);
        // Most maxima stay, and their corrections are 1: few rows are left.
        uint changed = isFirst ? 0 : LaneBits.Differ(correction, V.Constant(1));
        if (changed == 0)
        {
            return;
        }

        V.Store(_correction, column, correction);
        for (; changed != 0; changed &= changed - 1)
        {
            int c = column + BitOperations.TrailingZeroCount(changed);
            Rescale(Element.At<V>(_output, c * _outputRow), V.Splat(_correction, c));
        }
    }

    private void Rescale<V>(void* row, V factor)
        where V : struct, ICpuLane<V>
    {
        for (nint i = 0; i < _outputRow; i += V.Width)
        {
            V.Store(row, i, V.Load(row, i) * factor);
        }
    }
}
