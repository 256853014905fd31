using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Correlation dimension: how the number of pairs grows with their distance, between the median distances to two neighbors, with the Gaussian that would give the same figure.</summary>
public sealed record CorrelationMeasure : PointMeasure
{
    /// <summary>n₂, the neighbor whose median distance is the outer radius, even; the inner one is that of neighbor n₂/2.</summary>
    [Bounds(2, 1024)]
    public int Rank { get; init; } = 20;

    /// <inheritdoc/>
    public override string Legend => "corr = correlation dimension between the median distances to two neighbors";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("dimension", "corr", "0.0")];

    /// <inheritdoc/>
    public override int Neighbors => Rank;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 1.5 * DimensionFigures.Work(shape, width);

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path) =>
        base.Validate(path).Concat(Rank % 2 == 0 ? [] : [new ConfigProblem($"{path}.rank", $"{Rank} is odd: the inner radius is that of half as many neighbors")]);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures) =>
        DimensionFigures.Write(figures, "", DimensionMethod.Correlation(Rank).Estimate(cloud.Neighbors(Rank), cloud.NeighborValues, cloud.Width), cloud.Width);
}
