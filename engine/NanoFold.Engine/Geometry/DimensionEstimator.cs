using System.Text.Json.Serialization;

namespace NanoFold.Engine.Geometry;

/// <summary>The intrinsic dimension estimators.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DimensionEstimator>))]
public enum DimensionEstimator
{
    /// <summary>TwoNN by a linear fit: <see cref="TwoNN.Fit(ReadOnlySpan{double}, double)"/>.</summary>
    TwoNNFit,

    /// <summary>TwoNN by maximum likelihood: <see cref="TwoNN.MaximumLikelihood(ReadOnlySpan{double})"/>.</summary>
    TwoNNMaximumLikelihood,

    /// <summary>Generalised ratios: <see cref="Geometry.Gride"/>.</summary>
    Gride,

    /// <summary>Maximum likelihood over k neighbours: <see cref="Geometry.LevinaBickel"/>.</summary>
    LevinaBickel,
}
