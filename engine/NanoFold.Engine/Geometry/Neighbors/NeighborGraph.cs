using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>
/// The k nearest neighbors of every distinct point, nearest first: what intrinsic dimension, overlap and graph
/// measures share. Built by <see cref="NearestNeighbors"/>, or by <see cref="FromDistances"/> under any other metric.
/// </summary>
public sealed class NeighborGraph
{
    private readonly int[] _rows;
    private readonly int[] _neighbors;
    private readonly double[] _distances;

    internal NeighborGraph(
        GeometryStatus status, int totalRows, int k, int[] rows, int[] neighbors, double[] distances)
    {
        Status = status;
        TotalRows = totalRows;
        K = k;
        _rows = rows;
        _neighbors = neighbors;
        _distances = distances;
    }

    /// <summary>Whether there is a graph; without one <see cref="K"/> is 0.</summary>
    public GeometryStatus Status { get; }

    /// <summary>Rows given, duplicates included.</summary>
    public int TotalRows { get; }

    /// <summary>Distinct points.</summary>
    public int Count => _rows.Length;

    /// <summary>Rows left out because an earlier row is equal to them.</summary>
    public int DuplicatesDropped => TotalRows - Count;

    /// <summary>Neighbors held for each point: what was asked for, or Count − 1 where that is less.</summary>
    public int K { get; }

    /// <summary>For each point its row number in the data, ascending.</summary>
    public ReadOnlySpan<int> Rows => _rows;

    /// <summary>Row numbers of point <paramref name="i"/>'s neighbors, <c>[K]</c>, nearest first, ties by row number.</summary>
    /// <param name="i">0 … Count − 1: a place in <see cref="Rows"/>, not a row number.</param>
    public ReadOnlySpan<int> Neighbors(int i) => _neighbors.AsSpan(i * K, K);

    /// <summary>Distances to <see cref="Neighbors"/>, <c>[K]</c>, ascending, all above 0.</summary>
    public ReadOnlySpan<double> Distances(int i) => _distances.AsSpan(i * K, K);

    /// <summary>All neighbors, [Count, K].</summary>
    public ReadOnlySpan<int> AllNeighbors => _neighbors;

    /// <summary>All distances, [Count, K].</summary>
    public ReadOnlySpan<double> AllDistances => _distances;

    /// <summary>For each row of the data the number of its point, −1 for duplicates: the inverse of <see cref="Rows"/>, [TotalRows].</summary>
    public int[] PointsOfRows()
    {
        var points = new int[TotalRows];
        Array.Fill(points, -1);
        for (int i = 0; i < _rows.Length; i++)
        {
            points[_rows[i]] = i;
        }

        return points;
    }

    /// <summary>A graph from neighbors found elsewhere: another metric, or a stored run.</summary>
    /// <param name="neighbors"><c>[N, k]</c>, point numbers, nearest first.</param>
    /// <param name="distances"><c>[N, k]</c>, finite, above 0, ascending in each row.</param>
    /// <param name="k">Neighbors of each point.</param>
    public static NeighborGraph FromDistances(ReadOnlySpan<int> neighbors, ReadOnlySpan<double> distances, int k)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        if (neighbors.Length != distances.Length || neighbors.Length % k != 0)
        {
            throw new ArgumentException(
                $"Neighbor graph: {neighbors.Length} neighbors and {distances.Length} distances are not N × {k} each.");
        }

        int n = neighbors.Length / k;
        for (int at = 0; at < neighbors.Length; at++)
        {
            double least = at % k == 0 ? double.Epsilon : distances[at - 1];
            if (!(distances[at] >= least) || double.IsInfinity(distances[at]))
            {
                throw new ArgumentException($"Neighbor graph: distances of point {at / k} are not finite, above 0 and ascending.");
            }

            if ((uint)neighbors[at] >= (uint)n || neighbors[at] == at / k)
            {
                throw new ArgumentException($"Neighbor graph: point {at / k} cannot have neighbor {neighbors[at]} among {n} points.");
            }
        }

        int[] rows = new int[n];
        for (int i = 0; i < n; i++)
        {
            rows[i] = i;
        }

        GeometryStatus status = n < 3 ? GeometryStatus.TooFewPoints : GeometryStatus.Ok;
        return new NeighborGraph(status, n, k, rows, neighbors.ToArray(), distances.ToArray());
    }

    /// <summary>A graph without neighbors.</summary>
    internal static NeighborGraph Undefined(GeometryStatus status, int totalRows, int[] rows) =>
        new(status, totalRows, 0, rows, [], []);
}
