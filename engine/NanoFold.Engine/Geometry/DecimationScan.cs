namespace NanoFold.Engine.Geometry;

/// <summary>
/// An estimate over scales by decimation (Facco et al. 2017): fewer points of the same cloud lie further apart.
/// At level j the points are cut at random into 2^j disjoint subsets of N/2^j, each measured alone.
/// A curve that falls from small to large scales is noise over a manifold of lower dimension.
/// </summary>
public static class DecimationScan
{
    /// <summary>Measures N, N/2, N/4 … points. Costs about twice the neighbour search over all points.</summary>
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

                estimates[s] = method.Estimate(
                    NearestNeighbours.Search(subset.AsSpan(0, size * d), size, d, method.Rank));
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
