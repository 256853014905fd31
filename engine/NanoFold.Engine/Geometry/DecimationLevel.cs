namespace NanoFold.Engine.Geometry;

/// <summary>One scale of a <see cref="DecimationScan"/>.</summary>
public sealed record DecimationLevel
{
    /// <summary>The estimator.</summary>
    public required DimensionMethod Method { get; init; }

    /// <summary>Ok when at least one subset has an estimate, else why the first has none.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Rows in each subset, duplicates included.</summary>
    public required int Points { get; init; }

    /// <summary>Subsets measured.</summary>
    public required int Subsets { get; init; }

    /// <summary>Subsets with an estimate; the means below are over these.</summary>
    public required int Measured { get; init; }

    /// <summary>Mean dimension; null when <see cref="Status"/> is not Ok.</summary>
    public double? Dimension { get; init; }

    /// <summary>Standard deviation over the subsets; null with fewer than two.</summary>
    public double? StandardDeviation { get; init; }

    /// <summary>Mean distance to the farthest neighbour used.</summary>
    public double? MeanDistance { get; init; }

    /// <summary>Rows dropped as duplicates, over all subsets.</summary>
    public required int DuplicatesDropped { get; init; }

    internal static DecimationLevel From(DimensionMethod method, int points, ReadOnlySpan<DimensionEstimate> subsets)
    {
        int measured = 0;
        int dropped = 0;
        double sum = 0;
        double distance = 0;
        foreach (DimensionEstimate subset in subsets)
        {
            dropped += subset.DuplicatesDropped;
            if (subset.Dimension is { } dimension)
            {
                measured++;
                sum += dimension;
                distance += subset.MeanDistance ?? 0;
            }
        }

        double mean = sum / measured;
        double squares = 0;
        foreach (DimensionEstimate subset in subsets)
        {
            squares += subset.Dimension is { } dimension ? (dimension - mean) * (dimension - mean) : 0;
        }

        return new DecimationLevel
        {
            Method = method,
            Status = measured > 0 ? GeometryStatus.Ok : subsets[0].Status,
            Points = points,
            Subsets = subsets.Length,
            Measured = measured,
            Dimension = measured > 0 ? mean : null,
            StandardDeviation = measured > 1 ? Math.Sqrt(squares / (measured - 1)) : null,
            MeanDistance = measured > 0 ? distance / measured : null,
            DuplicatesDropped = dropped,
        };
    }
}
