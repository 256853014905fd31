using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>
/// Correlation dimension (Grassberger and Procaccia 1983) between two radii: ln(C(r₂)/C(r₁))/ln(r₂/r₁), C(r) the share of all pairs that are nearer than r. The
/// radii are the medians over points of the distance to neighbors n₁ = n₂/2 and n₂: 10 and 20. Pairs of dense regions weigh most.
/// </summary>
public static class CorrelationDimension
{
    /// <summary>Estimates; Degenerate where both radii or both counts are the same. N²/2 · D multiply-adds.</summary>
    /// <param name="graph">Holds at least <paramref name="rank"/> neighbors.</param>
    /// <param name="points"><c>[N, D]</c>: the rows that the graph is of, duplicates included.</param>
    /// <param name="d">D.</param>
    /// <param name="rank">n₂, even.</param>
    public static DimensionEstimate Estimate(NeighborGraph graph, ReadOnlySpan<float> points, int d, int rank = 20)
    {
        DimensionMethod method = DimensionMethod.Correlation(rank);
        if (method.Reject(graph) is { } undefined)
        {
            return undefined;
        }

        RowGuard.Shape(points, graph.TotalRows, d);
        double near = MedianDistance(graph, rank / 2), far = MedianDistance(graph, rank);
        (long inner, long outer) = Count(graph, points, d, near, far);
        if (inner == 0 || outer == inner || far == near)
        {
            return method.Undefined(GeometryStatus.Degenerate, graph.Count, graph.DuplicatesDropped);
        }

        return new DimensionEstimate
        {
            Method = method,
            Status = GeometryStatus.Ok,
            Dimension = Math.Log((double)outer / inner) / Math.Log(far / near),
            Points = graph.Count,
            DuplicatesDropped = graph.DuplicatesDropped,
            MeanDistance = TwoNN.MeanDistance(graph, rank),
        };
    }

    private static double MedianDistance(NeighborGraph graph, int rank)
    {
        var distances = new double[graph.Count];
        for (int i = 0; i < distances.Length; i++)
        {
            distances[i] = graph.Distances(i)[rank - 1];
        }

        Array.Sort(distances);
        return (distances[(distances.Length - 1) / 2] + distances[distances.Length / 2]) / 2;
    }

    private static (long Inner, long Outer) Count(NeighborGraph graph, ReadOnlySpan<float> points, int d, double near, double far)
    {
        long inner = 0, outer = 0;
        for (int i = 0; i < graph.Count; i++)
        {
            ReadOnlySpan<float> row = points.Slice(graph.Rows[i] * d, d);
            for (int j = i + 1; j < graph.Count; j++)
            {
                // The root, as in the graph: where N is odd, the radius is the distance of a pair itself.
                double distance = Math.Sqrt(EuclideanDistance.Squared(row, points.Slice(graph.Rows[j] * d, d)));
                inner += distance < near ? 1 : 0;
                outer += distance < far ? 1 : 0;
            }
        }

        return (inner, outer);
    }
}
