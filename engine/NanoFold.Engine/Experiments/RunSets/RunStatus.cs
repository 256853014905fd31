using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>Where a run of a set is.</summary>
public enum RunState
{
    /// <summary>It has not begun, or was stopped, and its turn is to come.</summary>
    Waiting,

    /// <summary>It is being carried out here.</summary>
    Running,

    /// <summary>It came to its end, or can come to none (<see cref="TrainEnd.Diverged"/>).</summary>
    Over,

    /// <summary>It was saved and stopped.</summary>
    Stopped,

    /// <summary>Its process ended before it did.</summary>
    Failed,

    /// <summary>Another process carries it out.</summary>
    Elsewhere,

    /// <summary>It belongs to another shard.</summary>
    OtherShard,
}

/// <summary>A run of a set, as it is now.</summary>
/// <param name="Run">What is carried out.</param>
/// <param name="Folder">Where.</param>
public sealed record RunStatus(PlannedRun Run, string Folder)
{
    /// <summary>Where it is.</summary>
    public RunState State { get; init; }

    /// <summary>Steps taken.</summary>
    public long Step { get; init; }

    /// <summary>Steps planned; null while that is not known.</summary>
    public long? Steps { get; init; }

    /// <summary>Mean of the last steps (at most 50), NaN before the first.</summary>
    public double TrainLoss { get; init; } = double.NaN;

    /// <summary>Of the last evaluation, NaN before the first.</summary>
    public double ValidationLoss { get; init; } = double.NaN;

    /// <summary>Tokens a second while it trains.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Estimated, for the rest of the run; null while that is not known.</summary>
    public double? SecondsLeft { get; init; }

    /// <summary>How it ended; null where it did not.</summary>
    public RunResult? Result { get; init; }

    /// <summary>What it is about now, in a line, or what went wrong; null for nothing.</summary>
    public string? Note { get; init; }
}

/// <summary>A set of runs, as it is now.</summary>
/// <param name="Runs">All that are known, in the order of the plan.</param>
/// <param name="Total">Runs in the end, also those that are not known yet.</param>
/// <param name="SecondsLeft">Estimated, until all runs of this shard are over; null while that is not known.</param>
public sealed record RunSetStatus(IReadOnlyList<RunStatus> Runs, int Total, double? SecondsLeft)
{
    /// <summary>How many runs are in a state.</summary>
    public int Count(RunState state) => Runs.Count(run => run.State == state);
}

/// <summary>Who is told how a set of runs goes. Called on the thread that carries it out.</summary>
public interface IRunSetObserver
{
    /// <summary>A run ended, failed, was stopped, or turned out to be carried out elsewhere.</summary>
    void Ended(RunStatus run);

    /// <summary>Some times a second.</summary>
    void Progressed(RunSetStatus status);
}
