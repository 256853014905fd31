using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Mean angle between successive steps of the stream from token to token, in stretches of successive tokens (Hosseini and Fedorenko 2023): a line has 0°,
/// a random walk 90°, independent points 120°.
/// </summary>
public sealed record TokenCurvatureMeasure : BlockMeasure
{
    /// <inheritdoc/>
    public override string Legend => "bend = mean angle between successive steps from token to token (line 0°, random walk 90°, independent points 120°)";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("degrees", "bend °", "0.0")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(PointMeasure.Stream, SampleKind.Runs)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 6.0 * shape.Runs * shape.RunLength * width;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Runs(PointMeasure.Stream) is { } runs)
        {
            int length = runs.Rows.RunLength;
            Curvature curvature = Curvature.Measure(runs.Values, length, runs.Width);
            figures.Add("degrees", curvature.Degrees, curvature.Status, $"mean over stretches of {length} tokens, {curvature.Skipped} skipped", curvature.Angles);
        }
    }
}
