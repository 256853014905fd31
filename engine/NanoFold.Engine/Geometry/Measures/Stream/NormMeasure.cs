using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Mean and largest ‖x‖ over the sampled tokens, not centered, with and without position 0, where massive activations are.</summary>
public sealed record NormMeasure : PointMeasure
{
    /// <inheritdoc/>
    public override string Legend => "norm = mean ‖x‖";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("norm", "norm", "0.0")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 3.0 * shape.Points * width;

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        PositionSplit<RowSummary> rows = cloud.Lengths();
        figures.Add("norm", rows.All.MeanNorm, rows.All.Status, "mean over tokens", rows.All.Rows);
        figures.Add("normWithoutFirst", rows.WithoutFirst.MeanNorm, rows.WithoutFirst.Status, "mean over tokens, position 0 out", rows.WithoutFirst.Rows);
        figures.Add("largestNorm", rows.All.LargestNorm, rows.All.Status, "largest of the tokens", rows.All.Rows);
    }
}
