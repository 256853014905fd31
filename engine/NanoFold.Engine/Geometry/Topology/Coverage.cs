using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Topology;

/// <summary>
/// How far a cloud hangs together, as a graph: the share of its points in the largest component, of the graph of mutual nearest neighbors over k, and of the
/// graph of all pairs nearer than ε over ε. ε is given as the mean degree that it makes, c = 2 · edges/N, so that clouds of any scale compare with one another
/// and with a random graph, whose largest component has the share S = 1 − e^(−cS) and passes ½ at c = 2 ln 2 ≈ 1.39.
/// </summary>
public static class Coverage
{
    /// <summary>
    /// Share of the points in the largest component of the graph that joins i and j where each is among the other's k nearest neighbors, for k = 1 … <paramref name="most"/>.
    /// </summary>
    /// <param name="graph">Holds at least so many neighbors.</param>
    /// <param name="most">At least 1.</param>
    public static double[] MutualShares(NeighborGraph graph, int most)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        if (graph.Status != GeometryStatus.Ok || graph.K < most)
        {
            throw new ArgumentException($"coverage: the graph holds {graph.K} neighbors, not {most}");
        }

        // An edge is there from the larger of the two ranks on.
        List<(int I, int J)>[] edges = [.. Enumerable.Range(0, most).Select(_ => new List<(int, int)>())];
        int[] points = graph.PointsOfRows();
        for (int i = 0; i < graph.Count; i++)
        {
            for (int rank = 0; rank < most; rank++)
            {
                int j = points[graph.Neighbors(i)[rank]];
                int back = j > i ? graph.Neighbors(j)[..most].IndexOf(graph.Rows[i]) : -1;
                if (back >= 0)
                {
                    edges[Math.Max(rank, back)].Add((i, j));
                }
            }
        }

        var sets = new DisjointSets(graph.Count);
        var shares = new double[most];
        for (int k = 0; k < most; k++)
        {
            foreach ((int i, int j) in edges[k])
            {
                sets.Join(i, j);
            }

            shares[k] = sets.LargestShare;
        }

        return shares;
    }

    /// <summary>The graph of all pairs nearer than ε, as ε grows.</summary>
    /// <param name="distances">Of distinct points.</param>
    /// <param name="degrees">Mean degrees at which the share is wanted, ascending.</param>
    public static EpsilonCoverage Epsilon(PairDistances distances, IReadOnlyList<double> degrees)
    {
        ArgumentNullException.ThrowIfNull(distances);
        ArgumentNullException.ThrowIfNull(degrees);
        if (distances.Status != GeometryStatus.Ok || distances.Count < 3)
        {
            return new EpsilonCoverage
            {
                Status = distances.Status == GeometryStatus.Ok ? GeometryStatus.TooFewPoints : distances.Status, Points = distances.Count, Shares = [], Radii = [],
            };
        }

        int n = distances.Count;
        double[] sorted = distances.Values.ToArray();
        (int I, int J)[] pairs = Pairs(n);
        Array.Sort(sorted, pairs);
        var sets = new DisjointSets(n);
        var shares = new double?[degrees.Count];
        var radii = new double?[degrees.Count];
        double? critical = null;
        for (int edge = 0, next = 0; edge < pairs.Length && (next < degrees.Count || critical is null); edge++)
        {
            sets.Join(pairs[edge].I, pairs[edge].J);
            double degree = 2.0 * (edge + 1) / n;
            critical ??= sets.LargestShare >= 0.5 ? degree : null;
            for (; next < degrees.Count && 2.0 * (edge + 2) / n > degrees[next]; next++)
            {
                (shares[next], radii[next]) = (sets.LargestShare, sorted[edge]);
            }
        }

        return new EpsilonCoverage { Status = GeometryStatus.Ok, Points = n, Shares = shares, Radii = radii, CriticalDegree = critical };
    }

    private static (int I, int J)[] Pairs(int n)
    {
        var pairs = new (int, int)[n * (n - 1) / 2];
        for (int i = 0, at = 0; i < n; i++)
        {
            for (int j = i + 1; j < n; j++)
            {
                pairs[at++] = (i, j);
            }
        }

        return pairs;
    }
}

/// <summary>Largest components of graphs of all pairs nearer than ε.</summary>
public sealed record EpsilonCoverage
{
    /// <summary>Whether there are figures.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N.</summary>
    public required int Points { get; init; }

    /// <summary>The share at each mean degree that was asked for; null where the points have no such degree.</summary>
    public required IReadOnlyList<double?> Shares { get; init; }

    /// <summary>ε at each of them.</summary>
    public required IReadOnlyList<double?> Radii { get; init; }

    /// <summary>The mean degree at which the largest component first holds half of the points.</summary>
    public double? CriticalDegree { get; init; }
}
