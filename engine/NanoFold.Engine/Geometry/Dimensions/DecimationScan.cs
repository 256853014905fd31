using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>
/// An estimate over scales by decimation (Facco et al. 2017): fewer points of the same cloud lie further apart.
/// At level j the points are cut at random into 2^j disjoint subsets of N/2^j, each measured alone.
/// A curve that falls from small to large scales is noise over a manifold of lower dimension.
/// </summary>
public static class DecimationScan
{
    /// <summary>Measures N, N/2, N/4 … points. Costs about twice the neighbor search over all points.</summary>
    /// <param name="points"><c>[N, D]</c>, row-major.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="method">The estimator, normally TwoNN.</param>
    /// <param name="leastPoints">Subsets smaller than this end the scan; at least 3.</param>
    /// <param name="seed">Draws the subsets.</param>
    /// <returns>At least the level of all points, smallest scale first.</returns>
    public static IReadOnlyList<DecimationLevel> Run(
        ReadOnlySpan<float> points, int n, int d, DimensionMethod method, int leastPoints = 64, ulong seed = 1)
    {
        RowGuard.Shape(points, n, d);
        ArgumentNullException.ThrowIfNull(method);
        ArgumentOutOfRangeException.ThrowIfLessThan(leastPoints, 3);
        int[] order = Shuffle(n, seed);
        float[] subset = new float[points.Length];
        List<DecimationLevel> levels = [];
        for (int subsets = 1; subsets == 1 || n / subsets >= leastPoints; subsets *= 2)
        {
            int size = n / subsets;
            DimensionEstimate[] estimates = new DimensionEstimate[subsets];
            for (int s = 0; s < subsets; s++)
            {
                for (int i = 0; i < size; i++)
                {
                    points.Slice(order[(s * size) + i] * d, d).CopyTo(subset.AsSpan(i * d));
                }

                ReadOnlySpan<float> rows = subset.AsSpan(0, size * d);
                estimates[s] = method.Estimate(NearestNeighbors.Search(rows, size, d, method.Rank), rows, d);
            }

            levels.Add(DecimationLevel.From(method, size, estimates));
        }

        return levels;
    }

    private static int[] Shuffle(int n, ulong seed)
    {
        GaussianSource random = new(seed);
        int[] order = new int[n];
        for (int i = 0; i < n; i++)
        {
            int j = random.NextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }

        return order;
    }
}

/// <summary>One scale of a <see cref="DecimationScan"/>.</summary>
public sealed record DecimationLevel
{
    /// <summary>The estimator.</summary>
    public required DimensionMethod Method { get; init; }

    /// <summary>Ok when at least one subset has an estimate, else why the first has none.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows in each subset, duplicates included.</summary>
    public required int Points { get; init; }

    /// <summary>Subsets measured.</summary>
    public required int Subsets { get; init; }

    /// <summary>Subsets with an estimate; the means below are over these.</summary>
    public required int Measured { get; init; }

    /// <summary>Mean dimension; null when <see cref="Status"/> is not Ok.</summary>
    public double? Dimension { get; init; }

    /// <summary>Standard deviation over the subsets; null with fewer than two.</summary>
    public double? StandardDeviation { get; init; }

    /// <summary>Mean distance to the farthest neighbor used.</summary>
    public double? MeanDistance { get; init; }

    /// <summary>Rows dropped as duplicates, over all subsets.</summary>
    public required int DuplicatesDropped { get; init; }

    internal static DecimationLevel From(DimensionMethod method, int points, ReadOnlySpan<DimensionEstimate> subsets)
    {
        int measured = 0;
        int dropped = 0;
        double sum = 0;
        double distance = 0;
        foreach (DimensionEstimate subset in subsets)
        {
            dropped += subset.DuplicatesDropped;
            if (subset.Dimension is { } dimension)
            {
                measured++;
                sum += dimension;
                distance += subset.MeanDistance ?? 0;
            }
        }

        double mean = sum / measured;
        double squares = 0;
        foreach (DimensionEstimate subset in subsets)
        {
            squares += subset.Dimension is { } dimension ? (dimension - mean) * (dimension - mean) : 0;
        }

        return new DecimationLevel
        {
            Method = method,
            Status = measured > 0 ? GeometryStatus.Ok : subsets[0].Status,
            Points = points,
            Subsets = subsets.Length,
            Measured = measured,
            Dimension = measured > 0 ? mean : null,
            StandardDeviation = measured > 1 ? Math.Sqrt(squares / (measured - 1)) : null,
            MeanDistance = measured > 0 ? distance / measured : null,
            DuplicatesDropped = dropped,
        };
    }
}
