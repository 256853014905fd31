using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>TwoNN on all points, on halves, on quarters … The error is the standard deviation over the subsets.</summary>
public sealed record DecimationMeasure : PointMeasure
{
    /// <summary>Subsets smaller than this end the scan.</summary>
    [Bounds(3, 1 << 20)]
    public int LeastPoints { get; init; } = 64;

    /// <inheritdoc/>
    public override string Legend => "TwoNN N = TwoNN on subsets of N points, mean";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("dimension.*", "TwoNN *", "0.0")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 2.0 * shape.Neighbors * shape.Neighbors * width;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => ((double)sizeof(float) * shape.Neighbors * width) + NearestNeighbors.Bytes(shape.Neighbors, width, 2);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        foreach (DecimationLevel level in DecimationScan.Run(cloud.NeighborValues, cloud.NeighborCount, cloud.Width, DimensionMethod.TwoNNFit(), LeastPoints))
        {
            string estimator = $"{level.Method.Label}, {level.Measured} subsets, position 0 out, {level.DuplicatesDropped} duplicates dropped";
            string suffix = "." + level.Points.ToString(CultureInfo.InvariantCulture);
            var mean = new DimensionEstimate { Method = level.Method, Status = level.Status, Dimension = level.Dimension, Points = level.Points };
            CalibratedDimension calibrated = GaussianCalibration.Calibrate(mean, cloud.Width);
            figures.Add("dimension" + suffix, level.Dimension, level.Status, estimator, level.Points, level.StandardDeviation);
            figures.Add("gaussianDimension" + suffix, calibrated.GaussianDimension, calibrated.BoundedStatus, $"{level.Method.Label} on Gaussians", calibrated.GaussianPoints);
        }
    }
}
