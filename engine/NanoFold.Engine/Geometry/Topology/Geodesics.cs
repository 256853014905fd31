using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Topology;

/// <summary>
/// How folded a cloud is: shortest paths along the graph of nearest neighbors (Tenenbaum, de Silva and Langford 2000; Dijkstra 1959) against straight lines.
/// The graph joins two points where either is a neighbor of the other. 1 is a convex flat piece that is densely covered; a circle gives 4G/π ≈ 1.166, G
/// Catalan's constant. What no path reaches is in no mean and counted.
/// </summary>
public sealed record Geodesics
{
    /// <summary>As of the graph; TooFewPoints where it holds fewer neighbors than wanted.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N, distinct points.</summary>
    public required int Points { get; init; }

    /// <summary>Components of the graph.</summary>
    public int Components { get; init; }

    /// <summary>Share of the points in the largest one.</summary>
    public double? LargestShare { get; init; }

    /// <summary>Pairs (source, other point) that a path joins.</summary>
    public long Pairs { get; init; }

    /// <summary>Their share of all pairs of a source.</summary>
    public double? ReachableShare { get; init; }

    /// <summary>Mean of path/straight line over them.</summary>
    public double? Ratio { get; init; }

    /// <summary>Measures.</summary>
    /// <param name="points"><c>[N, D]</c>: the rows that the graph is of, duplicates included.</param>
    /// <param name="d">D.</param>
    /// <param name="graph">Holds at least <paramref name="k"/> neighbors.</param>
    /// <param name="k">Neighbors of a point.</param>
    /// <param name="sources">So many of the first points are where paths begin.</param>
    public static Geodesics Measure(ReadOnlySpan<float> points, int d, NeighborGraph graph, int k, int sources)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sources, 1);
        RowGuard.Shape(points, graph.TotalRows, d);
        if (graph.Status != GeometryStatus.Ok || graph.K < k)
        {
            return new Geodesics { Status = graph.Status == GeometryStatus.Ok ? GeometryStatus.TooFewPoints : graph.Status, Points = graph.Count };
        }

        int n = graph.Count;
        var sets = new DisjointSets(n);
        List<(int To, double Length)>[] edges = Edges(graph, k, sets);
        var lengths = new double[n];
        double sum = 0;
        long pairs = 0;
        sources = Math.Min(sources, n);
        for (int source = 0; source < sources; source++)
        {
            Shortest(edges, source, lengths);
            ReadOnlySpan<float> from = points.Slice(graph.Rows[source] * d, d);
            for (int i = 0; i < n; i++)
            {
                if (i != source && double.IsFinite(lengths[i]))
                {
                    sum += lengths[i] / Math.Sqrt(EuclideanDistance.Squared(from, points.Slice(graph.Rows[i] * d, d)));
                    pairs++;
                }
            }
        }

        return new Geodesics
        {
            Status = GeometryStatus.Ok,
            Points = n,
            Components = sets.Components,
            LargestShare = sets.LargestShare,
            Pairs = pairs,
            ReachableShare = (double)pairs / sources / (n - 1),
            Ratio = sum / pairs,
        };
    }

    private static List<(int To, double Length)>[] Edges(NeighborGraph graph, int k, DisjointSets sets)
    {
        int[] numbers = graph.PointsOfRows();
        List<(int To, double Length)>[] edges = [.. Enumerable.Range(0, graph.Count).Select(_ => new List<(int, double)>(2 * k))];
        for (int i = 0; i < graph.Count; i++)
        {
            for (int at = 0; at < k; at++)
            {
                int j = numbers[graph.Neighbors(i)[at]];
                double length = graph.Distances(i)[at];
                edges[i].Add((j, length));
                edges[j].Add((i, length));
                sets.Join(i, j);
            }
        }

        return edges;
    }

    private static void Shortest(List<(int To, double Length)>[] edges, int source, double[] lengths)
    {
        Array.Fill(lengths, double.PositiveInfinity);
        lengths[source] = 0;
        var open = new PriorityQueue<int, double>();
        open.Enqueue(source, 0);
        while (open.TryDequeue(out int point, out double length))
        {
            if (length > lengths[point])
            {
                continue;
            }

            foreach ((int to, double edge) in edges[point])
            {
                double way = length + edge;
                if (way < lengths[to])
                {
                    lengths[to] = way;
                    open.Enqueue(to, way);
                }
            }
        }
    }
}
