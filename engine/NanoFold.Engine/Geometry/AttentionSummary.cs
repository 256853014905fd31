namespace NanoFold.Engine.Geometry;

/// <summary>How concentrated attention rows are. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record AttentionSummary
{
    /// <summary>TooFewPoints without a row to measure, NotFinite when a weight is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows measured.</summary>
    public required long Rows { get; init; }

    /// <summary>Rows left out because they hold no weight at all, or a negative one.</summary>
    public long SkippedRows { get; init; }

    /// <summary>Mean entropy of a row, in nats; rows are normalised to sum 1 for it.</summary>
    public double? Entropy { get; init; }

    /// <summary>Mean of entropy ÷ ln t over rows that see t ≥ 2 keys: 1 is uniform, 0 a single key. Null when no row does.</summary>
    public double? EntropyShare { get; init; }

    /// <summary>Sink: mean weight on position 0, as given, not normalised.</summary>
    public double? FirstMass { get; init; }
}
