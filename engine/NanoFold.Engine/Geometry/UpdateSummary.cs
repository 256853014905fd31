namespace NanoFold.Engine.Geometry;

/// <summary>What a block adds to its input, row by row. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record UpdateSummary
{
    /// <summary>TooFewPoints without a row whose x is not zero, NotFinite when a row is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows with x = 0, left out of every mean.</summary>
    public int ZeroRows { get; init; }

    /// <summary>Mean of ‖Δ‖/‖x‖.</summary>
    public double? Share { get; init; }

    /// <summary>Mean of cos(Δ, x) over rows with Δ ≠ 0; null when there is none.</summary>
    public double? Cosine { get; init; }

    /// <summary>Mean of ‖x + Δ‖/‖x‖.</summary>
    public double? NormGrowth { get; init; }
}
