using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Anisotropy: the mean cosine over all pairs of different tokens, not centered, with and without position 0 (Ethayarajh 2019).</summary>
public sealed record CosineMeasure : PointMeasure
{
    /// <inheritdoc/>
    public override string Legend => "cos = mean cosine over pairs of tokens, position 0 out";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("meanCosineWithoutFirst", "cos", "0.00")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 3.0 * shape.Points * width;

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        PositionSplit<RowSummary> rows = cloud.Lengths();
        figures.Add("meanCosine", rows.All.MeanCosine, rows.All.Status, "mean over pairs, not centered", rows.All.Rows - rows.All.ZeroRows);
        figures.Add(
            "meanCosineWithoutFirst", rows.WithoutFirst.MeanCosine, rows.WithoutFirst.Status, "mean over pairs, not centered, position 0 out", rows.WithoutFirst.Rows - rows.WithoutFirst.ZeroRows);
    }
}
