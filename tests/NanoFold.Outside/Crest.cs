using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace Outside;

/// <summary>Largest |x| ÷ root mean square of a layer's values, position 0 left out.</summary>
public sealed record CrestMeasure : PointMeasure
{
    /// <inheritdoc/>
    public override string Legend => "crest = largest value ÷ root mean square";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("crest", "crest", "0.0")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 2.0 * shape.Points * width;

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        ReadOnlySpan<float> x = cloud.Later;
        double rms = Math.Sqrt(TensorPrimitives.SumOfSquares(x) / x.Length);
        figures.Add("crest", Math.Abs(TensorPrimitives.MaxMagnitude(x)) / rms, GeometryStatus.Ok, "position 0 out", cloud.LaterCount);
    }
}
