using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Topology;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>How folded the cloud is: shortest paths along the graph of nearest neighbors ÷ straight lines, and what hangs together at all.</summary>
public sealed record GeodesicMeasure : PointMeasure
{
    /// <summary>k, the neighbors of a token; two are joined where either is a neighbor of the other.</summary>
    [Bounds(1, 1024)]
    public int K { get; init; } = 10;

    /// <summary>Tokens from which paths are searched, to all others.</summary>
    [Bounds(1, 1 << 16)]
    public int Sources { get; init; } = 100;

    /// <inheritdoc/>
    public override string Legend => "geodesic = shortest path along nearest neighbors ÷ straight line, mean over pairs";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("geodesicRatio", "geodesic", "0.00"), new("components", "parts", "0")];

    /// <inheritdoc/>
    public override int Neighbors => K;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => DimensionFigures.Work(shape, width) + ((double)Math.Min(Sources, shape.Neighbors) * shape.Neighbors * (width + (100 * K)));

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        Geodesics geodesics = Geodesics.Measure(cloud.NeighborValues, cloud.Width, cloud.Neighbors(K), K, Sources);
        string estimator = $"graph of {K} neighbors either way, {Sources} sources, position 0 out, {cloud.NeighborCount - geodesics.Points} duplicates dropped";
        void Add(string name, double? value, long points) => figures.Add(name, value, geodesics.Status, estimator, points);
        Add("geodesicRatio", geodesics.Ratio, geodesics.Pairs);
        Add("reachableShare", geodesics.ReachableShare, geodesics.Points);
        Add("components", geodesics.Status == GeometryStatus.Ok ? geodesics.Components : null, geodesics.Points);
        Add("largestComponentShare", geodesics.LargestShare, geodesics.Points);
    }
}
