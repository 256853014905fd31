using System.Diagnostics;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>A run of a set while the set is carried out.</summary>
internal sealed class RunEntry(PlannedRun run, string folder)
{
    private long _started;

    public PlannedRun Run => Status.Run;

    public RunStatus Status { get; set; } = new(run, folder);

    /// <summary>What goes on; null where nothing does.</summary>
    public IRunningRun? Running { get; private set; }

    /// <summary>What it takes, as far as that is known before.</summary>
    public required RunWork Work { get; init; }

    /// <summary>Seconds of the clock on the wall since it was begun here, or that it took.</summary>
    public double Seconds { get; private set; }

    /// <summary>The share of its steps that was taken when it was begun here.</summary>
    public double ShareBefore { get; private set; }

    public void Begin(IRunningRun running)
    {
        (Running, _started) = (running, Stopwatch.GetTimestamp());
        ShareBefore = Status.Steps > 0 ? (double)Status.Step / Status.Steps.Value : 0;
        Status = Status with { State = RunState.Running, Result = null, Note = null, SecondsLeft = null };
    }

    public void Took(RunReport report)
    {
        Seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
        Status = Status with
        {
            Step = report.Step ?? Status.Step,
            Steps = report.Steps ?? Status.Steps,
            TrainLoss = report.TrainLoss ?? Status.TrainLoss,
            ValidationLoss = report.ValidationLoss ?? Status.ValidationLoss,
            TokensPerSecond = report.TokensPerSecond ?? Status.TokensPerSecond,
            SecondsLeft = report.SecondsLeft ?? Status.SecondsLeft,
            // What it is about lasts until it goes on.
            Note = report.Note ?? (report.Step is null ? Status.Note : null),
        };
    }

    public void End()
    {
        Running?.Dispose();
        Running = null;
        Seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
    }
}
