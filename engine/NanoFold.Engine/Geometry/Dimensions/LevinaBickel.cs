using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>
/// Maximum-likelihood intrinsic dimension over k neighbors (Levina and Bickel 2004): at each point
/// <c>m_k(x) = (k − 1)/Σ_{j&lt;k} ln(R_k/R_j)</c>, joined by the harmonic mean (MacKay and Ghahramani 2005).
/// </summary>
public static class LevinaBickel
{
    /// <summary>Estimates with the k nearest neighbors; the standard error is d/√(N(k − 1)).</summary>
    /// <param name="graph">Holds at least <paramref name="k"/> neighbors.</param>
    /// <param name="k">At least 2.</param>
    public static DimensionEstimate Estimate(NeighborGraph graph, int k = 20)
    {
        DimensionMethod method = DimensionMethod.LevinaBickel(k);
        if (method.Reject(graph) is { } undefined)
        {
            return undefined;
        }

        double sum = 0;
        for (int i = 0; i < graph.Count; i++)
        {
            ReadOnlySpan<double> distances = graph.Distances(i);
            double farthest = distances[k - 1];
            for (int j = 0; j < k - 1; j++)
            {
                sum += Math.Log(farthest / distances[j]);
            }
        }

        if (sum == 0)
        {
            return method.Undefined(GeometryStatus.Degenerate, graph.Count, graph.DuplicatesDropped);
        }

        double terms = (double)graph.Count * (k - 1);
        return new DimensionEstimate
        {
            Method = method,
            Status = GeometryStatus.Ok,
            Dimension = terms / sum,
            StandardError = terms / sum / Math.Sqrt(terms),
            Points = graph.Count,
            DuplicatesDropped = graph.DuplicatesDropped,
            MeanDistance = TwoNN.MeanDistance(graph, k),
        };
    }
}
