namespace NanoFold.Engine.Geometry;

/// <summary>How evenly tokens spread over experts. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record ExpertStatistics
{
    /// <summary>TooFewPoints while nothing was routed.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Assignments counted: tokens times experts per token.</summary>
    public required long Assignments { get; init; }

    /// <summary>Share of the assignments each expert got, <c>[E]</c>; zeros while nothing was routed.</summary>
    public required IReadOnlyList<double> Load { get; init; }

    /// <summary>Experts that got nothing.</summary>
    public required int Idle { get; init; }

    /// <summary>Load entropy ÷ ln E: 1 is even, 0 a single expert. Null for E = 1.</summary>
    public double? EntropyShare { get; init; }

    /// <summary>Largest load times E: 1 is even, E a single expert.</summary>
    public double? LargestOverMean { get; init; }

    /// <summary>Measures from the number of assignments to each expert, <c>[E]</c>.</summary>
    public static ExpertStatistics FromCounts(ReadOnlySpan<long> counts)
    {
        ArgumentOutOfRangeException.ThrowIfZero(counts.Length, nameof(counts));
        long total = 0;
        long largest = 0;
        int idle = 0;
        foreach (long count in counts)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(count, nameof(counts));
            total += count;
            largest = Math.Max(largest, count);
            idle += count == 0 ? 1 : 0;
        }

        double[] load = new double[counts.Length];
        double entropy = 0;
        for (int e = 0; e < load.Length && total > 0; e++)
        {
            load[e] = (double)counts[e] / total;
            entropy -= load[e] > 0 ? load[e] * Math.Log(load[e]) : 0;
        }

        return new ExpertStatistics
        {
            Status = total > 0 ? GeometryStatus.Ok : GeometryStatus.TooFewPoints,
            Assignments = total,
            Load = load,
            Idle = idle,
            EntropyShare = total > 0 && load.Length > 1 ? entropy / Math.Log(load.Length) : null,
            LargestOverMean = total > 0 ? (double)largest / total * load.Length : null,
        };
    }

    /// <summary>Measures from expert numbers, one for each assignment.</summary>
    /// <param name="experts">0 … E − 1, in any order.</param>
    /// <param name="count">E.</param>
    public static ExpertStatistics FromAssignments(ReadOnlySpan<int> experts, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        long[] counts = new long[count];
        foreach (int expert in experts)
        {
            if ((uint)expert >= (uint)count)
            {
                throw new ArgumentException($"Expert statistics: expert {expert} is not one of {count}.");
            }

            counts[expert]++;
        }

        return FromCounts(counts);
    }
}
