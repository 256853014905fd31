using System.CommandLine;
using NanoFold.Cli.Commands.Live;
using NanoFold.Cli.Writing;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>train</c>: trains a model and writes a run folder.</summary>
internal static class TrainCommand
{
    public static void Build(VerbCommand command)
    {
        var train = new TrainOptions(command);
        Option<bool> report = command.Flag("--report", "Make the page of the run again and again beside training; an open page reads itself from the disk");
        command.JsonKeys = "steps, trainLoss (nats per token, of regression squared error; mean of the last 50 steps), balanceLoss and zLoss (of routers) and indexLoss (of the indexers of dsa), in the last step, where the model has them, validationLoss (likewise; the last evaluation, on train.evaluationWindows windows as all of the run), validationBitsPerByte and validationStep (after which it was made), fullValidationLoss and fullValidationBitsPerByte (of all that is held back, at the end of a run), what a task scores besides, such as validationAccuracy and fullValidationAccuracy (where the task has no text, bits per byte are null), tokensPerSecond, peakRssBytes, seconds, run (the folder), end (finished, reached, stopped-after, out-of-time or interrupted)";
        command.Does(invocation => Run(invocation, train, invocation.Get(report)));
    }

    private static int Run(Invocation invocation, TrainOptions options, bool reports)
    {
        RunConfig config = options.Config(invocation);
        using Backend backend = Devices.Open(invocation);
        FirstUse.Check(Devices.KindOf(invocation.Device), backend, config.Train.Precision, invocation.Output);
        Interrupt interrupt = invocation.Interrupt;
        // A run is saved before it ends because nobody reads on.
        using var unread = CancellationTokenSource.CreateLinkedTokenSource(interrupt.Token);
        using IDisposable ending = LostOutput.Instead(unread.Cancel);
        var progress = new TrainProgress(invocation.Output);
        using TrainSession session = options.Resume(invocation) is { } resumed
            ? TrainSession.Resume(resumed, backend, config, progress.Note, unread.Token)
            : OpenNew(config, backend, options.Out(invocation), progress.Note, unread.Token);
        interrupt.Asked = progress.Asked;
        progress.Describe(session, backend);
        // Of several processes the first one writes.
        LiveReport? report = reports && session.Collective.Rank == 0 ? new LiveReport(session.RunPath!, progress.Note, TimeProvider.System) : null;
        TrainSummary summary;
        if (report is not null)
        {
            progress.Note($"the page of the run: {report.File}");
        }

        try
        {
            summary = progress.Show(() => new TrainLoop(session, report is null ? progress : new ReportingProgress(progress, report)).Run(unread.Token));
        }
        finally
        {
            report?.Finish();
        }

        progress.Conclude(session, summary);
        invocation.Output.Result(RunFigures.Of(session, summary));
        return summary.End == TrainEnd.Interrupted ? interrupt.ExitCode ?? LostOutput.Last?.Code ?? Faults.Interrupted : Faults.Done;
    }

    private static TrainSession OpenNew(RunConfig config, Backend backend, string? folder, Action<string> note, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                return TrainSession.Open(config, backend, folder ?? RunName.Unused(config, DateTime.Now), note, cancel);
            }
            catch (FolderInUseException) when (folder is null)
            {
                // Another run that began in the same moment took the name; it is there now, so the next is another one.
            }
        }
    }
}
