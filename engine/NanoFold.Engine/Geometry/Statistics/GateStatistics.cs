namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>How open gates are. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record GateStatistics
{
    /// <summary>TooFewPoints without a gate, NotFinite when one is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Gate values measured.</summary>
    public required int Count { get; init; }

    /// <summary>Below this a gate counts as closed.</summary>
    public required float Threshold { get; init; }

    /// <summary>Mean value.</summary>
    public double? Mean { get; init; }

    /// <summary>Share of values below <see cref="Threshold"/>.</summary>
    public double? ClosedShare { get; init; }

    /// <summary>Measures gate values of any shape.</summary>
    public static GateStatistics Measure(ReadOnlySpan<float> gates, float threshold = 0.1f)
    {
        bool finite = RowGuard.AllFinite(gates);
        if (gates.IsEmpty || !finite)
        {
            return new GateStatistics
            {
                Status = finite ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite,
                Count = gates.Length,
                Threshold = threshold,
            };
        }

        double sum = 0;
        int closed = 0;
        foreach (float gate in gates)
        {
            sum += gate;
            closed += gate < threshold ? 1 : 0;
        }

        return new GateStatistics
        {
            Status = GeometryStatus.Ok,
            Count = gates.Length,
            Threshold = threshold,
            Mean = sum / gates.Length,
            ClosedShare = (double)closed / gates.Length,
        };
    }
}
