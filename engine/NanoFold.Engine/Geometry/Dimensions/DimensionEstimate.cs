using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>
/// One intrinsic dimension with all that must be said beside it. Published figures differ mainly because these differ.
/// Distances are Euclidean, so it does not matter whether the points were centered.
/// </summary>
public sealed record DimensionEstimate
{
    /// <summary>What computed it.</summary>
    public required DimensionMethod Method { get; init; }

    /// <summary>Why there is a figure or not.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>The dimension; null when <see cref="Status"/> is not Ok.</summary>
    public double? Dimension { get; init; }

    /// <summary>Standard error from the Fisher information as if points were independent, so a lower bound; null for the linear fit.</summary>
    public double? StandardError { get; init; }

    /// <summary>N: distinct points that entered.</summary>
    public required int Points { get; init; }

    /// <summary>Share of the points' ratios that entered the fit.</summary>
    public double FractionKept { get; init; } = 1;

    /// <summary>Rows dropped because they equal an earlier row.</summary>
    public int DuplicatesDropped { get; init; }

    /// <summary>Mean distance to the farthest neighbor used: the scale at which the dimension was seen. Null where only ratios were given.</summary>
    public double? MeanDistance { get; init; }
}
