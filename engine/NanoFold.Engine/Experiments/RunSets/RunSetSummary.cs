using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>Why carrying out a set of runs ended.</summary>
public enum RunSetEnd
{
    /// <summary>Nothing is left to do here: every run is over, failed, or another process's.</summary>
    Done,

    /// <summary>The time was over; the same command goes on.</summary>
    OutOfTime,

    /// <summary>The user asked for it; the same command goes on.</summary>
    Interrupted,
}

/// <summary>What became of a set of runs.</summary>
/// <param name="End">Why it ended.</param>
/// <param name="Status">Of every run.</param>
/// <param name="Seconds">Wall time of this start.</param>
public sealed record RunSetSummary(RunSetEnd End, RunSetStatus Status, double Seconds)
{
    /// <summary>Whether every run is over; of a plan that gives no more when these are, although it might have.</summary>
    public bool IsComplete => Status.Runs.All(run => run.State == RunState.Over);

    /// <summary>The runs whose processes ended before they did.</summary>
    public IEnumerable<RunStatus> Failed => Status.Runs.Where(run => run.State == RunState.Failed);

    /// <summary>How each run ended that did, by name.</summary>
    public IReadOnlyDictionary<string, RunResult> Results => Status.Runs.Where(run => run.Result is not null).ToDictionary(run => run.Run.Name, run => run.Result!);
}
