using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// Attention of one token over a cache for the query heads that share a key head, so that each key and each value is read once for all of them. A block of keys
/// is taken in by <see cref="Score{V}"/> (in one or several runs), <see cref="Weigh{V}"/> for each head, and <see cref="Add{V}"/>. Online softmax as in <see cref="OnlineSoftmax"/>.
/// </summary>
internal readonly unsafe struct GroupState
{
    private const double Lowest = -1e30;

    private readonly int _heads, _depth, _valueDepth;
    private readonly nint _queryRow, _scoreRow, _outputRow;
    private readonly void* _queries, _scores, _maxima, _sums, _outputs;

    /// <param name="memory">As many bytes as <see cref="Bytes"/> of the same sizes at null says.</param>
    public GroupState(void* memory, int heads, int depth, int valueDepth, LaneSize lane)
    {
        var cursor = new ScratchCursor(memory);
        _heads = heads;
        _depth = depth;
        _valueDepth = valueDepth;
        _queryRow = lane.Padded(depth);
        _scoreRow = lane.Padded(BlockSizes.Keys);
        _outputRow = lane.Padded(valueDepth);
        _queries = cursor.Take(heads * _queryRow * lane.Bytes);
        _scores = cursor.Take(heads * _scoreRow * lane.Bytes);
        _maxima = cursor.Take((long)heads * lane.Bytes);
        _sums = cursor.Take((long)heads * lane.Bytes);
        _outputs = cursor.Take(heads * _outputRow * lane.Bytes);
        Bytes = cursor.Used;
    }

    public long Bytes { get; }

    /// <summary>Starts anew with the query of a head, [D].</summary>
    public void Reset<V>(int head, void* query, double scale)
        where V : struct, ICpuLane<V>
    {
        HeadRow.Write(query, Element.At<V>(_queries, head * _queryRow), _depth, V.Constant(scale));
        Element.Set<V>(_maxima, head, Lowest);
        Element.Set<V>(_sums, head, 0);
        HeadRow.Zero<V>(Element.At<V>(_outputs, head * _outputRow), _outputRow);
    }

    /// <summary>A score without a value joins a head, before any key was seen.</summary>
    public void Join<V>(int head, double score)
        where V : struct, ICpuLane<V>
    {
        Element.Set<V>(_maxima, head, score);
        Element.Set<V>(_sums, head, 1);
    }

    /// <summary>Scores of the keys [first, first + count) of a block, for all heads.</summary>
    /// <param name="first">A multiple of four.</param>
    /// <param name="count">A multiple of four, or what is left of the block.</param>
    /// <param name="keys">From key <paramref name="first"/> on.</param>
    /// <param name="ahead">Rows to ask the memory for ahead; 0 for none.</param>
    public void Score<V>(int first, int count, in GroupRows keys, int ahead = 0)
        where V : struct, ICpuLane<V>
        => new GroupDots
        {
            Queries = (byte*)_queries,
            QueryRow = _queryRow * Element.Size<V>(),
            Keys = keys.First,
            KeyRow = keys.Row,
            KeyType = keys.Type,
            Ahead = ahead * keys.Row,
            Heads = _heads,
            Count = count,
            Depth = _depth,
            Scores = Element.At<V>(_scores, first),
            ScoreRow = _scoreRow,
        }.Run<V>();

    /// <summary>Scores of a head and <paramref name="count"/> keys become weights e^(score − m) with m the largest score so far; what was summed up before is scaled from the m before.</summary>
    /// <param name="own">The query's running sum of log decays.</param>
    /// <param name="decays">Those of the keys, or null.</param>
    /// <param name="cap">At which scores level off; 0 for none.</param>
    public void Weigh<V>(int head, int count, double own, void* decays, double cap)
        where V : struct, ICpuLane<V>
    {
        void* scores = Element.At<V>(_scores, head * _scoreRow);
        for (int j = 0; cap > 0 && j < count; j += V.Width)
        {
            V.Store(scores, j, V.Constant(cap) * V.Tanh(V.Load(scores, j) * V.Constant(1 / cap)));
        }

        for (int j = 0; decays is not null && j < count; j += V.Width)
        {
            V sums = j + V.Width <= count ? V.Load(decays, j) : V.LoadPart(decays, j, count - j);
            V.Store(scores, j, V.Load(scores, j) + (V.Constant(own) - sums));
        }

        int padded = LaneSize.Of<V>().Padded(count);
        for (int j = count; j < padded; j++)
        {
            Element.Set<V>(scores, j, double.NegativeInfinity);
        }

        V before = V.Splat(_maxima, head), highest = before;
        for (int j = 0; j < padded; j += V.Width)
        {
            highest = V.Max(highest, V.Load(scores, j));
        }

        double maximum = V.Largest(highest);
        highest = V.Constant(maximum);
        V correction = SoftmaxExp.Of(before - highest), sum = default;
        for (int j = 0; j < padded; j += V.Width)
        {
            V p = SoftmaxExp.Of(V.Load(scores, j) - highest);
            V.Store(scores, j, p);
            sum += p;
        }

        V.StorePart(_sums, head, 1, V.MultiplyAdd(V.Splat(_sums, head), correction, V.Constant(V.Sum(sum))));
        Element.Set<V>(_maxima, head, maximum);
        if (V.Largest(correction) != 1)
        {
            void* output = Element.At<V>(_outputs, head * _outputRow);
            for (nint i = 0; i < _outputRow; i += V.Width)
            {
                V.Store(output, i, V.Load(output, i) * correction);
            }
        }
    }

    /// <summary>Adds the values [first, first + count) of a block by their weights, for all heads.</summary>
    /// <param name="first">As for keys.</param>
    /// <param name="count">As for keys.</param>
    /// <param name="values">From value <paramref name="first"/> on.</param>
    /// <param name="ahead">Rows to ask the memory for ahead; 0 for none.</param>
    public void Add<V>(int first, int count, in GroupRows values, int ahead = 0)
        where V : struct, ICpuLane<V>
        => new GroupSums
        {
            Outputs = (byte*)_outputs,
            OutputRow = _outputRow * Element.Size<V>(),
            Values = values.First,
            ValueRow = values.Row,
            ValueType = values.Type,
            Ahead = ahead * values.Row,
            Weights = (byte*)Element.At<V>(_scores, first),
            WeightRow = _scoreRow * Element.Size<V>(),
            Heads = _heads,
            Count = count,
            Depth = _valueDepth,
        }.Run<V>();

    /// <summary>Output of a head divided by the sum of weights; 0 where no key was seen.</summary>
    public void Finish<V>(int head, void* y)
        where V : struct, ICpuLane<V>
    {
        double sum = Element.Get<V>(_sums, head);
        HeadRow.Write(Element.At<V>(_outputs, head * _outputRow), y, _valueDepth, V.Constant(sum == 0 ? 0 : 1 / sum));
    }

    /// <summary>Maximum, sum and unnormalized output of a head, for <see cref="CachedCombineWork"/>.</summary>
    public void Export<V>(int head, void* target)
        where V : struct, ICpuLane<V>
    {
        Element.Set<V>(target, 0, Element.Get<V>(_maxima, head));
        Element.Set<V>(target, 1, Element.Get<V>(_sums, head));
        HeadRow.Write(Element.At<V>(_outputs, head * _outputRow), Element.At<V>(target, 2), _valueDepth, V.Constant(1));
    }
}

/// <summary>Keys or values in memory, one after the other.</summary>
internal readonly unsafe struct GroupRows(byte* first, nint row, DType type)
{
    /// <summary>The first.</summary>
    public byte* First { get; } = first;

    /// <summary>Bytes between two.</summary>
    public nint Row { get; } = row;

    /// <summary>Of the elements: that of the lane, or one of 16 bits.</summary>
    public DType Type { get; } = type;

    /// <summary>Rows of elements of the lane.</summary>
    public static GroupRows Of<V>(void* first, nint row)
        where V : struct, ICpuLane<V>
        => new((byte*)first, row * Element.Size<V>(), V.Type);
}
