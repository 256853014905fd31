using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>
/// How far points are from a cloud of ordinary ones: the distance to the plane that fits the k nearest of those best, of dimension q. Points of the cloud
/// itself, each left out of its own plane, say what is ordinary.
/// </summary>
public sealed class OffManifold
{
    private readonly float[] _points;
    private readonly int _d;
    private readonly int _neighbors;
    private readonly int _rank;

    /// <param name="points">Ordinary points, <c>[N, D]</c>, finite; copied.</param>
    /// <param name="n">N, more than <paramref name="neighbors"/>.</param>
    /// <param name="d">D.</param>
    /// <param name="neighbors">k, at least 2.</param>
    /// <param name="rank">q, below k.</param>
    public OffManifold(ReadOnlySpan<float> points, int n, int d, int neighbors = 32, int rank = 8)
    {
        RowGuard.Shape(points, n, d);
        ArgumentOutOfRangeException.ThrowIfLessThan(neighbors, 2);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(n, neighbors);
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, neighbors);
        (_points, _d, _neighbors, _rank) = (points.ToArray(), d, neighbors, rank);
    }

    /// <summary>How far a point is from the cloud.</summary>
    /// <param name="x">[D]; where it is not finite, or nothing is left of the cloud, the distance is not a number.</param>
    /// <param name="isOwn">It is of the cloud: rows that equal it are left out.</param>
    public OffManifoldDistance At(ReadOnlySpan<float> x, bool isOwn = false)
    {
        if (!RowGuard.AllFinite(x))
        {
            return new OffManifoldDistance(double.NaN, double.NaN);
        }

        int[] rows = NearestNeighbors.Of(x, _points, _d, _neighbors, isOwn);
        if (rows.Length < 2)
        {
            return new OffManifoldDistance(double.NaN, double.NaN);
        }

        TangentPlane plane = TangentPlane.Of(_points, _d, rows, _rank);
        double distance = plane.Distance(x);
        return new OffManifoldDistance(distance, distance / plane.Spread);
    }
}

/// <summary>A point's distance from a local plane.</summary>
/// <param name="Distance">‖(I − UUᵀ)(x − mean)‖.</param>
/// <param name="Relative">The same ÷ the root mean square distance of the neighbors to their mean; not finite where they are all the same.</param>
public readonly record struct OffManifoldDistance(double Distance, double Relative);
