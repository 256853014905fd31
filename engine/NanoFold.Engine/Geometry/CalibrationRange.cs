using System.Text.Json.Serialization;

namespace NanoFold.Engine.Geometry;

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
