using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;

namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>
/// Dimensions of the stream whose mean or variance lies far outside those of the others (Kovaleva et al. 2021; Timkey and van Schijndel 2021): more than
/// <see cref="Sigmas"/> standard deviations, over dimensions, from their mean. One of D dimensions lies at most √(D − 1) out, so below D = 38 none is 6 out.
/// </summary>
public sealed record OutlierDimensions
{
    /// <summary>As of the moments; ZeroVariance where all dimensions are alike.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N.</summary>
    public required long Points { get; init; }

    /// <summary>How far is far.</summary>
    public required double Sigmas { get; init; }

    /// <summary>Dimensions of an outlying mean, ascending.</summary>
    public IReadOnlyList<int> Means { get; init; } = [];

    /// <summary>Dimensions of an outlying variance, ascending.</summary>
    public IReadOnlyList<int> Variances { get; init; } = [];

    /// <summary>Those of either.</summary>
    public IReadOnlyList<int> All { get; init; } = [];

    /// <summary>How far out the farthest mean is, in standard deviations.</summary>
    public double? FarthestMean { get; init; }

    /// <summary>How far out the farthest variance is.</summary>
    public double? FarthestVariance { get; init; }

    /// <summary>Share of the total variance that is along <see cref="All"/>.</summary>
    public double? VarianceShare { get; init; }

    /// <summary>Measures from mean and variances of each dimension.</summary>
    public static OutlierDimensions Measure(StreamingMoments moments, double sigmas = 6)
    {
        ArgumentNullException.ThrowIfNull(moments);
        if (moments.Status != GeometryStatus.Ok)
        {
            return new OutlierDimensions { Status = moments.Status, Points = moments.Count, Sigmas = sigmas };
        }

        double[] covariance = moments.Covariance(), variances = [.. Enumerable.Range(0, moments.Dimension).Select(c => covariance[c * (moments.Dimension + 1)])];
        double[] means = Standardized(moments.Mean), spreads = Standardized(variances);
        bool[] isMean = [.. means.Select(z => Math.Abs(z) > sigmas)], isVariance = [.. spreads.Select(z => Math.Abs(z) > sigmas)];
        int[] Where(Func<int, bool> isOut) => [.. Enumerable.Range(0, means.Length).Where(isOut)];
        int[] all = Where(c => isMean[c] || isVariance[c]);
        return new OutlierDimensions
        {
            Status = GeometryStatus.Ok,
            Points = moments.Count,
            Sigmas = sigmas,
            Means = Where(c => isMean[c]),
            Variances = Where(c => isVariance[c]),
            All = all,
            FarthestMean = means.Max(Math.Abs),
            FarthestVariance = spreads.Max(Math.Abs),
            VarianceShare = all.Sum(c => variances[c]) / variances.Sum(),
        };
    }

    // Zeros where all are the same.
    private static double[] Standardized(ReadOnlySpan<double> values)
    {
        double[] z = values.ToArray();
        TensorPrimitives.Subtract(z, TensorPrimitives.Sum<double>(z) / z.Length, z);
        double deviation = Math.Sqrt(TensorPrimitives.SumOfSquares<double>(z) / z.Length);
        if (deviation > 0)
        {
            TensorPrimitives.Divide(z, deviation, z);
        }

        return z;
    }
}
