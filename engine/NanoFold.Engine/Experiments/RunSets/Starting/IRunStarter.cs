using System.Text.Json.Serialization;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>What a run is started with.</summary>
/// <param name="Folder">Of the run; where it holds one, that goes on.</param>
/// <param name="Config">What it is.</param>
/// <param name="Device">As <c>--device</c> names it.</param>
/// <param name="Threads">Of the CPU.</param>
public sealed record RunOrder(string Folder, RunConfig Config, string Device, int Threads);

/// <summary>Starts runs: each as a process of its own, or in this one.</summary>
public interface IRunStarter
{
    /// <summary>Whether runs are carried out at the same time: not within this process.</summary>
    bool HasProcesses { get; }

    /// <summary>Starts a run, which reports until it ends.</summary>
    /// <param name="order">What is started.</param>
    /// <param name="report">Told how it goes, on any thread; the last report has an <see cref="RunReport.Outcome"/>.</param>
    IRunningRun Start(RunOrder order, Action<RunReport> report);
}

/// <summary>A run that was started.</summary>
public interface IRunningRun : IDisposable
{
    /// <summary>Asks it to save and stop.</summary>
    void Stop();
}

/// <summary>How a run ended that was started.</summary>
public enum RunOutcome
{
    /// <summary>It says how in its folder (<see cref="RunResult"/>).</summary>
    Ended,

    /// <summary>Another process has the folder.</summary>
    InUse,

    /// <summary>It could not begin or go on, or its process ended.</summary>
    Failed,
}

/// <summary>What a run tells while it goes on; what is null has not changed.</summary>
public sealed record RunReport
{
    /// <inheritdoc cref="RunStatus.Step"/>
    public long? Step { get; init; }

    /// <inheritdoc cref="RunStatus.Steps"/>
    public long? Steps { get; init; }

    /// <inheritdoc cref="RunStatus.TrainLoss"/>
    public double? TrainLoss { get; init; }

    /// <inheritdoc cref="RunStatus.ValidationLoss"/>
    public double? ValidationLoss { get; init; }

    /// <inheritdoc cref="RunStatus.TokensPerSecond"/>
    public double? TokensPerSecond { get; init; }

    /// <inheritdoc cref="RunStatus.SecondsLeft"/>
    public double? SecondsLeft { get; init; }

    /// <summary>A line about what takes time, or what went wrong.</summary>
    public string? Note { get; init; }

    /// <summary>The last lines that a process wrote which failed; null otherwise.</summary>
    public IReadOnlyList<string>? Output { get; init; }

    /// <summary>Whether a signal that asks for the end (HUP, INT, QUIT, TERM) ended the process before it could say how: it may have come while the process began.</summary>
    [JsonIgnore]
    public bool IsEndedBySignal { get; init; }

    /// <summary>Set once, in the last report.</summary>
    public RunOutcome? Outcome { get; init; }
}
