using NanoFold.Engine.Measurement;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Profiling;

/// <summary>Where the time of a training step goes. Rows are means over the middle half of the profiled steps by time, so they add up.</summary>
public sealed record ProfileReport
{
    // One profiled step, the one of median time.
    private readonly StepRecording _median;

    internal ProfileReport(StepRecording median) => _median = median;

    /// <summary>Ops, modules or nodes, and the parts of the step outside the recorded pass.</summary>
    public required IReadOnlyList<ProfileRow> Ops { get; init; }

    public required IReadOnlyList<ProfileRow> Kernels { get; init; }

    /// <summary>Runs of the worker pool by kernel, the longest first; none where one thread works.</summary>
    public required IReadOnlyList<RunRow> Runs { get; init; }

    /// <summary>By what <see cref="Ops"/> were added up.</summary>
    public required OpGrouping Grouping { get; init; }

    public required Roofline Peak { get; init; }

    /// <summary>Profiled steps.</summary>
    public required int Steps { get; init; }

    /// <summary>Of the profiled steps that count.</summary>
    public required double StepSeconds { get; init; }

    /// <summary>By the median of the steps that were not profiled.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>What profiling added to a step, as a share of it, for each pair of a profiled step and one that was not; ascending.</summary>
    public required IReadOnlyList<double> Overheads { get; init; }

    /// <summary>The median of <see cref="Overheads"/>.</summary>
    public double Overhead => SampleStatistics.Median(Overheads);

    /// <summary>Between these lies the middle half of <see cref="Overheads"/>.</summary>
    public (double Low, double High) OverheadQuartiles => (Overheads[Overheads.Count / 4], Overheads[Overheads.Count - 1 - (Overheads.Count / 4)]);

    /// <summary>
    /// Managed memory that a profiled step allocates on the thread that drives it: the median over steps, so what every step allocates and not what
    /// happens once in a process.
    /// </summary>
    public required double ManagedBytesPerStep { get; init; }

    /// <summary>The whole step, with everything that was executed in it.</summary>
    public ProfileRow Step => ProfileRow.Total("step", StepPhase.Begin, Ops) with { Seconds = StepSeconds, Share = 1 };

    /// <summary>Seconds of a step in none of the ops.</summary>
    public double SecondsOutside => StepSeconds - Ops.Sum(row => row.Seconds);

    /// <summary>Writes the step of median time in Chrome's trace format.</summary>
    public void WriteTrace(Stream stream) => ChromeTrace.Write(stream, _median, Peak);
}
