using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Topology;

/// <summary>A few points that cover a cloud evenly (farthest-point sampling; Gonzalez 1985; for complexes, de Silva and Carlsson 2004).</summary>
public static class Landmarks
{
    /// <summary>Row 0, then each time the row that is farthest from all chosen so far, the lower of two as far. Fewer where the others are copies of these.</summary>
    /// <param name="points"><c>[N, D]</c>, finite.</param>
    /// <param name="n">N, at least 1.</param>
    /// <param name="d">D.</param>
    /// <param name="count">Landmarks wanted.</param>
    public static int[] Farthest(ReadOnlySpan<float> points, int n, int d, int count)
    {
        RowGuard.Shape(points, n, d);
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var nearest = new double[n];
        Array.Fill(nearest, double.PositiveInfinity);
        var chosen = new List<int>(count);
        for (int next = 0; chosen.Count < Math.Min(count, n) && nearest[next] > 0;)
        {
            chosen.Add(next);
            ReadOnlySpan<float> landmark = points.Slice(next * d, d);
            int farthest = 0;
            for (int i = 0; i < n; i++)
            {
                nearest[i] = Math.Min(nearest[i], EuclideanDistance.Squared(landmark, points.Slice(i * d, d)));
                farthest = nearest[i] > nearest[farthest] ? i : farthest;
            }

            next = farthest;
        }

        return [.. chosen];
    }
}
