namespace NanoFold.Engine.Geometry;

/// <summary>Norms and directions of a layer's rows. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record RowSummary
{
    /// <summary>TooFewPoints without any row, NotFinite when a row is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows that are all zero; they have no direction and stay out of <see cref="MeanCosine"/>.</summary>
    public int ZeroRows { get; init; }

    /// <summary>Mean of ‖x‖.</summary>
    public double? MeanNorm { get; init; }

    /// <summary>Largest ‖x‖.</summary>
    public double? LargestNorm { get; init; }

    /// <summary>Anisotropy: mean cosine over all pairs of different rows; null with fewer than two directions.</summary>
    public double? MeanCosine { get; init; }
}
