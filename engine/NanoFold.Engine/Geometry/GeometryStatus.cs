using System.Text.Json.Serialization;

namespace NanoFold.Engine.Geometry;

/// <summary>Whether a measurement has a value, and if not, why. A figure is null exactly when its status is not <see cref="Ok"/>.</summary>
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
}
