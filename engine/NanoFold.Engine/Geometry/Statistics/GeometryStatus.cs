using System.Text.Json.Serialization;

namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>
/// Whether a measurement has a value, and if not, why. A figure is null unless its status is <see cref="Ok"/> or says that it is a bound.
/// </summary>
[JsonConverter(typeof(JsonStringEnumConverter<GeometryStatus>))]
public enum GeometryStatus
{
    /// <summary>The figure is defined.</summary>
    Ok,

    /// <summary>Fewer distinct points (or rows) than the estimator needs.</summary>
    TooFewPoints,

    /// <summary>All points are the same.</summary>
    ZeroVariance,

    /// <summary>The input holds NaN or an infinity.</summary>
    NotFinite,

    /// <summary>The points differ but the estimator has no answer on them, as on a lattice, where every distance ratio is 1.</summary>
    Degenerate,

    /// <summary>The value is a lower bound: what was measured lies beyond the end of a calibration.</summary>
    AtLeast,

    /// <summary>The value is an upper bound.</summary>
    AtMost,
}

/// <summary>Questions to a <see cref="GeometryStatus"/>.</summary>
public static class GeometryStatuses
{
    /// <summary>Whether a figure of this status has a value.</summary>
    public static bool HasValue(this GeometryStatus status) => status is GeometryStatus.Ok or GeometryStatus.AtLeast or GeometryStatus.AtMost;
}
