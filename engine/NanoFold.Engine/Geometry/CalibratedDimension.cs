namespace NanoFold.Engine.Geometry;

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

    /// <summary>N of the Gaussians.</summary>
    public int GaussianPoints { get; init; }
}
