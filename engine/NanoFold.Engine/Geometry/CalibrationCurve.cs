namespace NanoFold.Engine.Geometry;

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
