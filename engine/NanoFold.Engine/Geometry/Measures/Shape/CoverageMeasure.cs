using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Topology;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How far the tokens hang together: share of them in the largest component of the graph of mutual nearest neighbors over k, and of the graph of the nearest pairs
/// over its mean degree, with the k and the degree at which it first holds half of them.
/// </summary>
public sealed record CoverageMeasure : PointMeasure
{
    private static readonly int[] s_neighbors = [1, 2, 3, 5, 8, 16];
    private static readonly double[] s_degrees = [1, 1.5, 2, 3, 5, 8, 16];

    /// <summary>The largest k that is looked at for half of the tokens.</summary>
    [Bounds(16, 1024)]
    public int MostNeighbors { get; init; } = 64;

    /// <summary>Tokens whose pairs are sorted by distance, which costs their square.</summary>
    [Bounds(16, 8192)]
    public int PairTokens { get; init; } = 512;

    /// <inheritdoc/>
    public override string Legend => "giant 8, half at = share of the largest component of the graph of 8 mutual neighbors, and the k at which it is half";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("mutualShare.8", "giant 8", "0.00"), new("criticalNeighbors", "half at", "0")];

    /// <inheritdoc/>
    public override int Neighbors => MostNeighbors;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => DimensionFigures.Work(shape, width) + (20.0 * Math.Min(PairTokens, shape.Neighbors) * shape.Neighbors);

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => base.Bytes(shape, width) + (3 * PairDistances.Bytes(Math.Min(PairTokens, shape.Neighbors)));

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        NeighborGraph graph = cloud.Neighbors(MostNeighbors);
        string estimator = $"mutual neighbors, position 0 out, {graph.DuplicatesDropped} duplicates dropped";
        int most = Math.Min(MostNeighbors, graph.K);
        double[] shares = graph.Status == GeometryStatus.Ok ? Coverage.MutualShares(graph, most) : [];
        foreach (int k in s_neighbors)
        {
            GeometryStatus status = graph.Status != GeometryStatus.Ok ? graph.Status : k <= shares.Length ? GeometryStatus.Ok : GeometryStatus.TooFewPoints;
            figures.Add(Name("mutualShare", k), k <= shares.Length ? shares[k - 1] : null, status, estimator, graph.Count);
        }

        int half = Array.FindIndex(shares, share => share >= 0.5) + 1;
        bool isBound = graph.Status == GeometryStatus.Ok && half == 0;
        figures.Add("criticalNeighbors", half > 0 ? half : most, isBound ? GeometryStatus.AtLeast : graph.Status, estimator, graph.Count);

        ReadOnlySpan<int> rows = graph.Rows[..Math.Min(graph.Count, PairTokens)];
        EpsilonCoverage coverage = Coverage.Epsilon(PairDistances.Of(RowGather.Of(cloud.NeighborValues, cloud.Width, rows), rows.Length, cloud.Width), s_degrees);
        GeometryStatus pairStatus = graph.Status == GeometryStatus.Ok ? coverage.Status : graph.Status;
        string pairs = $"graph of the nearest pairs, by mean degree, position 0 out, {graph.DuplicatesDropped} duplicates dropped";
        for (int i = 0; i < s_degrees.Length; i++)
        {
            double? share = pairStatus == GeometryStatus.Ok ? coverage.Shares[i] : null;
            figures.Add(Name("pairShare", s_degrees[i]), share, share is null && pairStatus == GeometryStatus.Ok ? GeometryStatus.TooFewPoints : pairStatus, pairs, coverage.Points);
        }

        figures.Add("criticalDegree", coverage.CriticalDegree, pairStatus, pairs, coverage.Points);
    }

    private static string Name(string name, double of) => string.Create(CultureInfo.InvariantCulture, $"{name}.{of}");
}
