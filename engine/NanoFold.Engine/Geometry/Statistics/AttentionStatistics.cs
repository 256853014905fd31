using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>
/// Accumulates entropy and sink mass of attention rows, head by head, over any number of patterns.
/// Uniform causal attention has entropy ln t and sink mass 1/t in the row that sees t keys.
/// </summary>
public sealed class AttentionStatistics
{
    private const int Chunk = 256;

    private readonly bool _causal;
    private readonly Sums[] _first; // rows of query position 0, where a causal pattern has no choice
    private readonly Sums[] _later;

    /// <summary>Starts empty.</summary>
    /// <param name="heads">H.</param>
    /// <param name="causal">Whether the query at position p sees keys 0 … p only (t = p + 1), or every key of its row.</param>
    public AttentionStatistics(int heads, bool causal = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        _causal = causal;
        _first = new Sums[heads];
        _later = new Sums[heads];
    }

    /// <summary>H.</summary>
    public int Heads => _first.Length;

    /// <summary>Adds one row.</summary>
    /// <param name="head">0 … H − 1.</param>
    /// <param name="position">The query's position.</param>
    /// <param name="weights">Weights on keys 0, 1 …; in a causal pattern at least position + 1, the rest is not read.</param>
    public void AddRow(int head, int position, ReadOnlySpan<float> weights)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        int keys = _causal ? position + 1 : weights.Length;
        if ((uint)head >= (uint)Heads || keys > weights.Length || keys == 0)
        {
            throw new ArgumentException(
                $"Attention row: head {head} of {Heads}, position {position}, {weights.Length} weights do not fit.");
        }

        weights = weights[..keys];
        ref Sums sums = ref (position == 0 ? _first : _later)[head];
        double total = 0;
        double logarithms = 0;
        bool negative = false;
        Span<float> logs = stackalloc float[Chunk];
        for (int start = 0; start < keys; start += Chunk)
        {
            ReadOnlySpan<float> part = weights.Slice(start, Math.Min(Chunk, keys - start));
            Span<float> log = logs[..part.Length];
            total += TensorPrimitives.Sum(part);
            negative |= TensorPrimitives.Min(part) < 0;

            // A weight of 0 contributes 0, not 0 · −∞.
            TensorPrimitives.Max(part, 1e-37f, log);
            TensorPrimitives.Log(log, log);
            logarithms += TensorPrimitives.Dot(part, log);
        }

        if (!double.IsFinite(total))
        {
            sums.NotFinite = true;
        }
        else if (negative || total == 0)
        {
            sums.Skipped++;
        }
        else
        {
            sums.Add(Math.Max(0, Math.Log(total) - (logarithms / total)), keys, weights[0]);
        }
    }

    /// <summary>The figures of one head, with and without the row of query position 0.</summary>
    public PositionSplit<AttentionSummary> Head(int head) =>
        new(Sums.Join(_first[head], _later[head]).Summarize(), _later[head].Summarize());

    /// <summary>The figures over all heads: every row counts the same.</summary>
    public PositionSplit<AttentionSummary> Overall()
    {
        Sums first = default;
        Sums later = default;
        for (int head = 0; head < Heads; head++)
        {
            first = Sums.Join(first, _first[head]);
            later = Sums.Join(later, _later[head]);
        }

        return new(Sums.Join(first, later).Summarize(), later.Summarize());
    }

    /// <summary>Share of heads whose sink mass, without query position 0, exceeds <paramref name="epsilon"/>; null when no head was measured.</summary>
    public double? SinkShare(double epsilon)
    {
        int measured = 0;
        int sinks = 0;
        foreach (Sums head in _later)
        {
            if (head.Summarize().FirstMass is { } mass)
            {
                measured++;
                sinks += mass > epsilon ? 1 : 0;
            }
        }

        return measured > 0 ? (double)sinks / measured : null;
    }

    private struct Sums
    {
        public bool NotFinite;
        public long Skipped;
        private long _rows;
        private long _choices; // rows that see two keys or more
        private double _entropy;
        private double _share;
        private double _firstMass;

        public static Sums Join(in Sums a, in Sums b) => new()
        {
            NotFinite = a.NotFinite || b.NotFinite,
            Skipped = a.Skipped + b.Skipped,
            _rows = a._rows + b._rows,
            _choices = a._choices + b._choices,
            _entropy = a._entropy + b._entropy,
            _share = a._share + b._share,
            _firstMass = a._firstMass + b._firstMass,
        };

        public void Add(double entropy, int keys, float firstWeight)
        {
            _rows++;
            _entropy += entropy;
            _firstMass += firstWeight;
            if (keys > 1)
            {
                _choices++;
                _share += entropy / Math.Log(keys);
            }
        }

        public readonly AttentionSummary Summarize()
        {
            if (NotFinite || _rows == 0)
            {
                return new AttentionSummary
                {
                    Status = NotFinite ? GeometryStatus.NotFinite : GeometryStatus.TooFewPoints,
                    Rows = _rows,
                    SkippedRows = Skipped,
                };
            }

            return new AttentionSummary
            {
                Status = GeometryStatus.Ok,
                Rows = _rows,
                SkippedRows = Skipped,
                Entropy = _entropy / _rows,
                EntropyShare = _choices > 0 ? _share / _choices : null,
                FirstMass = _firstMass / _rows,
            };
        }
    }
}

/// <summary>How concentrated attention rows are. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record AttentionSummary
{
    /// <summary>TooFewPoints without a row to measure, NotFinite when a weight is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows measured.</summary>
    public required long Rows { get; init; }

    /// <summary>Rows left out because they hold no weight at all, or a negative one.</summary>
    public long SkippedRows { get; init; }

    /// <summary>Mean entropy of a row, in nats; rows are normalized to sum 1 for it.</summary>
    public double? Entropy { get; init; }

    /// <summary>Mean of entropy ÷ ln t over rows that see t ≥ 2 keys: 1 is uniform, 0 a single key. Null when no row does.</summary>
    public double? EntropyShare { get; init; }

    /// <summary>Sink: mean weight on position 0, as given, not normalized.</summary>
    public double? FirstMass { get; init; }
}

/// <summary>
/// A measurement with and without position 0, whose massive activation or attention sink can dominate a mean.
/// </summary>
/// <param name="All">Over all positions.</param>
/// <param name="WithoutFirst">Over positions 1, 2 …</param>
/// <typeparam name="T">What was measured.</typeparam>
public sealed record PositionSplit<T>(T All, T WithoutFirst);
