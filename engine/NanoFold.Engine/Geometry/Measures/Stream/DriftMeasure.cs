using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How far the stream of the same tokens moved since it was measured the time before: mean ‖x' − x‖/‖x‖ and mean cos(x' − x, x), position 0 left out.
/// A run that was resumed has no time before.
/// </summary>
public sealed record DriftMeasure : StepMeasure
{
    private const string Estimator = "mean over tokens, position 0 out";

    /// <inheritdoc/>
    public override string Legend => "drift = ‖x − x before‖ / ‖x before‖ since the measurement before";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("drift", "drift", "0.000"), new("steps", "steps", "0")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 6.0 * shape.Neighbors * width;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => (double)sizeof(float) * shape.Neighbors * width;

    /// <inheritdoc/>
    public override void Take(PointCloud before, PointCloud now, long steps, FigureWriter figures)
    {
        var moved = new float[now.Values.Length];
        System.Numerics.Tensors.TensorPrimitives.Subtract(now.Values, before.Values, moved);
        UpdateSummary update = RowStatistics.Updates(before.Values, moved, now.Count, now.Width, 0).All;
        figures.Add("drift", update.Share, update.Status, Estimator, update.Rows - update.ZeroRows);
        figures.Add("driftCosine", update.Cosine, update.Status, Estimator, update.Rows - update.ZeroRows);
        figures.Add("steps", steps, update.Status, "since the measurement before", 1);
    }
}
