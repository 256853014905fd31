using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Dimensions whose mean or variance lies far outside those of the others: how many there are, how far out, and their share of the variance.</summary>
public sealed record OutlierDimensionMeasure : PointMeasure
{
    /// <summary>How many standard deviations over dimensions are far. One of D dimensions lies at most (D − 1)/√D out.</summary>
    [Bounds(1, 1000)]
    public double Sigmas { get; init; } = 6;

    /// <inheritdoc/>
    public override string Legend => "outliers = dimensions of far larger mean or variance than the others; mean σ = how far out the farthest mean is";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("outlierDimensions", "outliers", "0"), new("farthestMean", "mean σ", "0.0")];

    /// <inheritdoc/>
    public override int Tier => 1;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)shape.Points * width * width / 2;

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => StreamingMoments.Bytes(width, 1);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        OutlierDimensions outliers = OutlierDimensions.Measure(cloud.Moments(), Sigmas);
        string estimator = FormattableString.Invariant($"beyond {Sigmas} standard deviations over dimensions, position 0 out");
        bool isThere = outliers.Status == GeometryStatus.Ok;
        void Add(string name, double? value) => figures.Add(name, value, outliers.Status, estimator, outliers.Points);
        Add("outlierDimensions", isThere ? outliers.All.Count : null);
        Add("outlierMeans", isThere ? outliers.Means.Count : null);
        Add("outlierVariances", isThere ? outliers.Variances.Count : null);
        Add("farthestMean", outliers.FarthestMean);
        Add("farthestVariance", outliers.FarthestVariance);
        Add("outlierVarianceShare", outliers.VarianceShare);
        figures.Array("dimensions", [outliers.All.Count], [.. outliers.All]);
    }
}
