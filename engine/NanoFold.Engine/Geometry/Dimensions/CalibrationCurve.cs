using System.Text.Json.Serialization;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>One estimator's figures on Gaussians of growing dimension with one number of points.</summary>
public sealed class CalibrationCurve
{
    private readonly int[] _dimensions;
    private readonly double[] _estimates;

    internal CalibrationCurve(
        DimensionMethod method, int points, ulong seed, List<int> dimensions, List<double> estimates)
    {
        Method = method;
        Points = points;
        Seed = seed;
        _dimensions = [.. dimensions];
        _estimates = [.. estimates];
    }

    /// <summary>The estimator.</summary>
    public DimensionMethod Method { get; }

    /// <summary>N of every Gaussian.</summary>
    public int Points { get; }

    /// <summary>The seed they were drawn with.</summary>
    public ulong Seed { get; }

    /// <summary>Gaussian dimensions, ascending; empty when N is too small for the method.</summary>
    public IReadOnlyList<int> Dimensions => _dimensions;

    /// <summary>What the estimator says on each.</summary>
    public IReadOnlyList<double> Estimates => _estimates;

    /// <summary>
    /// The Gaussian dimension that gives <paramref name="estimate"/>, between two table entries linear in the logarithms.
    /// Outside the table the nearest end is returned and the range says so. Null for an empty table.
    /// </summary>
    public (double? Dimension, CalibrationRange Range) Invert(double estimate)
    {
        if (_dimensions.Length == 0 || double.IsNaN(estimate))
        {
            return (null, CalibrationRange.Inside);
        }

        if (estimate < _estimates[0])
        {
            return (_dimensions[0], CalibrationRange.Below);
        }

        // Sampling may leave a dip where the curve flattens; the running maximum makes the inverse unique.
        double lower = _estimates[0];
        for (int i = 1; i < _estimates.Length; i++)
        {
            double upper = Math.Max(lower, _estimates[i]);
            if (estimate <= upper)
            {
                double share = upper > lower ? Math.Log(estimate / lower) / Math.Log(upper / lower) : 0;
                double ratio = (double)_dimensions[i] / _dimensions[i - 1];
                return (_dimensions[i - 1] * Math.Pow(ratio, share), CalibrationRange.Inside);
            }

            lower = upper;
        }

        return (_dimensions[^1], estimate > lower ? CalibrationRange.Above : CalibrationRange.Inside);
    }
}

/// <summary>A measured dimension and the Gaussian dimension that would have given it.</summary>
public sealed record CalibratedDimension
{
    /// <summary>What was measured.</summary>
    public required DimensionEstimate Measured { get; init; }

    /// <summary>Whether <see cref="GaussianDimension"/> is there.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Draws the Gaussians.</summary>
    public required ulong Seed { get; init; }

    /// <summary>The dimension of the Gaussian on which the same estimator gives the same figure.</summary>
    public double? GaussianDimension { get; init; }

    /// <summary>Whether that is a value or a bound.</summary>
    public CalibrationRange Range { get; init; }

    /// <summary>The same, saying of a bound that it is one.</summary>
    public GeometryStatus BoundedStatus => Status != GeometryStatus.Ok ? Status : Range switch
    {
        CalibrationRange.Above => GeometryStatus.AtLeast,
        CalibrationRange.Below => GeometryStatus.AtMost,
        _ => GeometryStatus.Ok,
    };

    /// <summary>N of the Gaussians.</summary>
    public int GaussianPoints { get; init; }
}

/// <summary>Where a measured figure lies against a calibration table.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CalibrationRange>))]
public enum CalibrationRange
{
    /// <summary>Between the table's ends.</summary>
    Inside,

    /// <summary>Below the figure of a one-dimensional Gaussian: the dimension given is an upper bound.</summary>
    Below,

    /// <summary>Above the figure of a Gaussian that fills the space: the dimension given is a lower bound.</summary>
    Above,
}
