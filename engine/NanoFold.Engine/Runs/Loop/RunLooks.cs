using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Looks at the model between steps: evaluates, samples and measures where that is due.</summary>
/// <param name="session">What is looked at.</param>
/// <param name="pace">Says when.</param>
/// <param name="divergence">Tells losses that no model has.</param>
/// <param name="saves">Keeps the steps where a look fails.</param>
/// <param name="observer">Told what was seen, or null.</param>
internal sealed class RunLooks(TrainSession session, Pace pace, Divergence divergence, RunSaves saves, ITrainObserver? observer)
{
    private readonly TrainConfig _config = session.Config.Train;

    /// <summary>Whether a step is followed by an evaluation.</summary>
    public bool IsEvaluationDue(long step) => step == session.Trainer.Schedule.Steps || pace.IsEvaluationDue(step);

    /// <summary>Whether a stop came in the evaluation that belonged to the step of the checkpoint.</summary>
    public bool IsLeftOver(long step) => step > 0 && IsEvaluationDue(step)
        && (session.State.EvaluatedStep is { } evaluated ? evaluated < step : session.State.LastEvaluation is null && session.EvaluationTokens > 0);

    /// <summary>Looks at the model after a step; false where a stop was asked for on the way.</summary>
    public bool Look(long step, CancellationToken stop)
    {
        bool isLast = step == session.Trainer.Schedule.Steps;
        try
        {
            if (IsEvaluationDue(step))
            {
                Evaluate(step, isLast, stop);
            }

            if (_config.SampleEvery > 0 && step % _config.SampleEvery == 0)
            {
                string text = session.Sample(step, stop);
                observer?.Sampled(step, text);
            }

            session.Geometry?.Measure(step, pace.Steps.LastSeconds, isLast || session.IsReached(step), pace.MostToMeasure, pace.IsCheckpointDue(step), stop);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>What takes long, once all else is on the disk.</summary>
    /// <returns>How the run ended.</returns>
    public TrainEnd LookClosely(long step, TrainEnd end, CancellationToken stop)
    {
        try
        {
            if (end is TrainEnd.Finished or TrainEnd.Reached or TrainEnd.OutOfTime)
            {
                session.EvaluateInDetail(step, () => observer?.Note("evaluating in detail …"), stop);
            }

            return end;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return TrainEnd.Interrupted;
        }
    }

    private void Evaluate(long step, bool isLast, CancellationToken stop)
    {
        if (pace.Evaluation(step, isLast, () => saves.Guard(step, session, s => s.Evaluate(step, isLast, stop))) is { } evaluation)
        {
            observer?.Evaluated(step, evaluation, isLast || session.IsReached(step) ? session.State.FullEvaluation : null);
            if (!double.IsFinite(evaluation.Loss))
            {
                throw saves.NotFinite(step, "the validation loss");
            }

            if (divergence.IsBeyond(evaluation.Loss))
            {
                throw saves.Beyond(step, "the validation loss", evaluation.Loss);
            }
        }
    }
}
