namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>How evenly tokens spread over experts. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record ExpertStatistics
{
    /// <summary>TooFewPoints while nothing was routed.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>The sum of what was given: tokens times experts per token of counts, 1 of shares.</summary>
    public required double Total { get; init; }

    /// <summary>Share of the assignments each expert got, <c>[E]</c>; zeros while nothing was routed.</summary>
    public required IReadOnlyList<double> Load { get; init; }

    /// <summary>Experts that got nothing.</summary>
    public required int Idle { get; init; }

    /// <summary>Load entropy ÷ ln E: 1 is even, 0 a single expert. Null for E = 1.</summary>
    public double? EntropyShare { get; init; }

    /// <summary>Largest load times E: 1 is even, E a single expert.</summary>
    public double? LargestOverMean { get; init; }

    /// <summary>Measures from what each expert got, <c>[E]</c>: counts or shares.</summary>
    public static ExpertStatistics Measure(ReadOnlySpan<double> load)
    {
        ArgumentOutOfRangeException.ThrowIfZero(load.Length, nameof(load));
        double total = 0;
        double largest = 0;
        int idle = 0;
        foreach (double one in load)
        {
            if (one < 0)
            {
                throw new ArgumentOutOfRangeException(nameof(load), one, "expert statistics: a load is at least 0");
            }

            total += one;
            largest = Math.Max(largest, one);
            idle += one == 0 ? 1 : 0;
        }

        double[] shares = new double[load.Length];
        double entropy = 0;
        bool isThere = total > 0 && double.IsFinite(total);
        for (int e = 0; e < shares.Length && isThere; e++)
        {
            shares[e] = load[e] / total;
            entropy -= shares[e] > 0 ? shares[e] * Math.Log(shares[e]) : 0;
        }

        return new ExpertStatistics
        {
            Status = isThere ? GeometryStatus.Ok : double.IsFinite(total) ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite,
            Total = total,
            Load = shares,
            Idle = idle,
            EntropyShare = isThere && load.Length > 1 ? entropy / Math.Log(load.Length) : null,
            LargestOverMean = isThere ? largest / total * load.Length : null,
        };
    }
}
