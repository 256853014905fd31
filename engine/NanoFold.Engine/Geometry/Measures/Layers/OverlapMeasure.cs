using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How much of each token's neighborhood two layers share, and how much of it in the second one is the same token,
/// beside what chance gives.
/// </summary>
public sealed record OverlapMeasure : PairMeasure
{
    /// <summary>k, the neighbors of a token.</summary>
    [Bounds(1, 1024)]
    public int K { get; init; } = 10;

    /// <inheritdoc/>
    public override string Legend => "overlap, same token = share of the k nearest neighbors that both layers have, and that are the same token";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("overlap", "overlap", "0.00"), new("sameToken", "same token", "0.00")];

    /// <inheritdoc/>
    public override int Neighbors => K;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)shape.Neighbors * shape.Neighbors * (width + 20);

    /// <inheritdoc/>
    public override void Take(PointCloud first, PointCloud second, FigureWriter figures)
    {
        NeighborGraph graph = second.Neighbors(K);
        NeighborhoodOverlap layers = NeighborhoodOverlap.Between(first.Neighbors(K), graph, K), tokens = NeighborhoodOverlap.WithLabels(graph, second.Rows.Tokens, K);
        string estimator = $"k={K}, position 0 out, {second.NeighborCount - layers.Points} duplicates in either dropped";
        figures.Add("overlap", layers.Overlap, layers.Status, estimator, layers.Points);
        figures.Add("overlapByChance", layers.Chance, layers.Status, estimator, layers.Points);
        figures.Add("sameToken", tokens.Overlap, tokens.Status, estimator, tokens.Points);
        figures.Add("sameTokenByChance", tokens.Chance, tokens.Status, estimator, tokens.Points);
    }
}
