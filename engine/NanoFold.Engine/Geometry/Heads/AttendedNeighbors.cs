using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Heads;

/// <summary>
/// Whether heads attend to what lies near: of the keys before a query, position 0 and the query itself left out, the k that a head gives most to against the k that are
/// nearest in the hidden space.
/// </summary>
public sealed class AttendedNeighbors
{
    private readonly double[] _distances;
    private readonly double[] _scores;
    private readonly int[] _byDistance;
    private readonly int[] _byWeight;
    private double _overlap;
    private double _chance;
    private double _correlation;
    private long _correlated;

    /// <param name="k">Keys that are compared.</param>
    /// <param name="time">T, the most places of a row.</param>
    public AttendedNeighbors(int k, int time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        K = k;
        (_distances, _scores) = (new double[time], new double[time]);
        (_byDistance, _byWeight) = (new int[time], new int[time]);
    }

    /// <summary>k.</summary>
    public int K { get; }

    /// <summary>Rows compared: those with at least 2k keys.</summary>
    public long Rows { get; private set; }

    /// <summary>Mean share of the k keys in common; null without rows.</summary>
    public double? Overlap => Rows > 0 ? _overlap / Rows : null;

    /// <summary>What keys chosen by chance have in common: k over the keys there are.</summary>
    public double? Chance => Rows > 0 ? _chance / Rows : null;

    /// <summary>Mean over rows of Spearman's correlation of weight and nearness over all those keys.</summary>
    public double? Correlation => _correlated > 0 ? _correlation / _correlated : null;

    /// <summary>Adds a query.</summary>
    /// <param name="weights">What it gives to places 0 … t, at least t + 1 of them.</param>
    /// <param name="hidden">The hidden values of places 0 … t, <c>[t + 1, D]</c>: the last is the query's.</param>
    /// <param name="d">D.</param>
    public void Add(ReadOnlySpan<float> weights, ReadOnlySpan<float> hidden, int d)
    {
        int position = (hidden.Length / d) - 1, keys = position - 1;
        if (keys < 2 * K)
        {
            return;
        }

        ReadOnlySpan<float> query = hidden[(position * d)..];
        for (int key = 0; key < keys; key++)
        {
            _distances[key] = TensorPrimitives.Distance(query, hidden.Slice((key + 1) * d, d));
            _scores[key] = -weights[key + 1];
        }

        Order(_distances, _byDistance, keys);
        Order(_scores, _byWeight, keys);
        int common = 0;
        for (int i = 0; i < K; i++)
        {
            common += _byDistance.AsSpan(0, K).Contains(_byWeight[i]) ? 1 : 0;
        }

        Rows++;
        _overlap += (double)common / K;
        _chance += (double)K / keys;
        if (RankCorrelation.Spearman(_distances.AsSpan(0, keys), _scores.AsSpan(0, keys)) is { } correlation)
        {
            _correlation += correlation;
            _correlated++;
        }
    }

    private static void Order(double[] by, int[] order, int count)
    {
        for (int i = 0; i < count; i++)
        {
            order[i] = i;
        }

        // Ties by place, so that the result does not depend on how a sort treats them.
        order.AsSpan(0, count).Sort((i, j) => by[i] != by[j] ? by[i].CompareTo(by[j]) : i.CompareTo(j));
    }
}
