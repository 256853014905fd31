using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Intrinsic dimension by maximum likelihood over k neighbors, with the Gaussian that would give the same figure.</summary>
public sealed record LevinaBickelMeasure : PointMeasure
{
    /// <summary>k, the neighbors of a token.</summary>
    [Bounds(2, 1024)]
    public int K { get; init; } = 20;

    /// <inheritdoc/>
    public override string Legend => "MLE = dimension by maximum likelihood over k neighbors (Levina and Bickel)";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("dimension", "MLE", "0.0")];

    /// <inheritdoc/>
    public override int Neighbors => K;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => DimensionFigures.Work(shape, width);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures) =>
        DimensionFigures.Write(figures, "", DimensionMethod.LevinaBickel(K).Estimate(cloud.Neighbors(K)), cloud.Width);
}
