using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;

namespace NanoFold.Engine.Experiments;

/// <summary>Carries out one run of a set in this process.</summary>
public static class RunCarrier
{
    /// <summary>Begins the run of an order, or goes on with the one in its folder, to its end or until it is asked to stop.</summary>
    /// <param name="order">What is carried out.</param>
    /// <param name="open">Opens what computes.</param>
    /// <param name="report">Told how it goes, some times a second.</param>
    /// <param name="stop">Saves and stops it.</param>
    /// <returns>The last report.</returns>
    public static RunReport Carry(RunOrder order, Func<RunOrder, Backend> open, Action<RunReport> report, CancellationToken stop)
    {
        try
        {
            using Backend backend = open(order);
            using TrainSession session = Open(order, backend, line => report(new RunReport { Note = line }), stop);
            var reporter = new Reporter(report);
            reporter.Opened(session);
            new TrainLoop(session, reporter).Run(stop);
            return new RunReport { Outcome = RunOutcome.Ended };
        }
        catch (FolderInUseException e)
        {
            return new RunReport { Outcome = RunOutcome.InUse, Note = e.Message };
        }
        catch (DivergedException e)
        {
            return new RunReport { Outcome = RunOutcome.Ended, Note = e.Message };
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return new RunReport { Outcome = RunOutcome.Ended };
        }
        catch (Exception e)
        {
            return new RunReport { Outcome = RunOutcome.Failed, Note = Say(e) };
        }
    }

    /// <summary>A fault in a line.</summary>
    internal static string Say(Exception e) => e switch
    {
        UserException => e.Message,
        OutOfMemoryException => "there is not enough memory for this; a smaller --batch, --context or model takes less",
        _ => new UserException($"{e.GetType().Name}: {e.Message}").Message,
    };

    private static TrainSession Open(RunOrder order, Backend backend, Action<string> note, CancellationToken stop)
    {
        if (!File.Exists(Path.Combine(order.Folder, RunConfig.FileName)))
        {
            return TrainSession.Open(order.Config, backend, order.Folder, note, stop);
        }

        RunConfig begun = SavedRun.LoadConfig(order.Folder), asked = order.Config;
        asked = asked.Model.Vocab == 0 ? asked with { Model = asked.Model with { Vocab = begun.Model.Vocab } } : asked;
        return Resumable.Changed(begun, asked) is { Count: > 0 } changed
            ? throw new UserException($"{order.Folder}: was begun with {string.Join(", ", changed)}; delete it, or carry out the set in another folder")
            : TrainSession.Resume(order.Folder, backend, MovedText.Follow(begun, asked), note, stop);
    }

    // Steps come fast; whoever is told draws them a few times a second.
    private sealed class Reporter(Action<RunReport> report) : ITrainObserver
    {
        private const int ApartMs = 250;

        private readonly RecentLosses _losses = new();
        private long _last = long.MinValue / 2;

        public void Opened(TrainSession session) => report(new RunReport
        {
            Step = session.State.Step,
            Steps = session.Trainer.Schedule.Steps < Training.TrainConfig.Unbounded ? session.Trainer.Schedule.Steps : null,
            ValidationLoss = session.State.LastEvaluation?.Loss,
        });

        public void Note(string line) => report(new RunReport { Note = line });

        public void Stepped(in StepReport step)
        {
            _losses.Add(step.Result);
            if (Environment.TickCount64 - _last >= ApartMs || step.Step == step.Steps)
            {
                _last = Environment.TickCount64;
                report(new RunReport
                {
                    Step = step.Step,
                    Steps = step.Steps,
                    TrainLoss = double.IsFinite(_losses.Mean) ? _losses.Mean : null,
                    TokensPerSecond = step.TokensPerSecond,
                    SecondsLeft = step.SecondsLeft,
                });
            }
        }

        public void Evaluated(long step, Evaluation evaluation, Evaluation? full) => report(new RunReport { Step = step, ValidationLoss = (full ?? evaluation).Loss });

        public void Sampled(long step, string text)
        {
        }

        public void Saved(long step, string path)
        {
        }
    }
}
