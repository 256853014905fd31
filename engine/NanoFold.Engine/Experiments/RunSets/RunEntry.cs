using System.Diagnostics;
using NanoFold.Engine.Checkpoints;
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

    /// <summary>Takes down what became of it.</summary>
    /// <param name="outcome">How its process, or the run in this one, ended.</param>
    /// <param name="report">What it said last.</param>
    /// <param name="isStopped">Whether it was ended from outside, and not by itself.</param>
    public void End(RunOutcome outcome, RunReport report, bool isStopped)
    {
        Running?.Dispose();
        Running = null;
        Seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
        Status = Ended(Status, outcome, report, isStopped);
    }

    private static RunStatus Ended(RunStatus status, RunOutcome outcome, RunReport report, bool isStopped)
    {
        status = status with { SecondsLeft = null };
        switch (outcome)
        {
            case RunOutcome.Failed when isStopped:
                // It goes on from what it last saved.
                return status with { State = RunState.Stopped };
            case RunOutcome.InUse:
                return status with { State = RunState.Elsewhere, Note = "another process carries it out" };
            case RunOutcome.Ended:
                RunResult? result = RunResult.Find(status.Folder);
                return result is { IsOver: true } ? status with { State = RunState.Over, Result = result, Step = result.Steps, Note = result.Problem } : status with { State = RunState.Stopped };
            default:
                RunResult failed = RunResult.Failed(report.Note ?? "it ended and does not say why", report.Output);
                try
                {
                    using var held = RunLock.Acquire(status.Folder);
                    failed.Write(status.Folder);
                }
                catch (Exception e) when (e is UserException || FileFault.Is(e))
                {
                    // What the run said is worth more than that it could not be kept, as where another process goes on with it by now.
                }

                return status with { State = RunState.Failed, Result = failed, Note = failed.Problem };
        }
    }
}
