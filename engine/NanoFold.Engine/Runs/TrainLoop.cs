using System.Globalization;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>
/// The way the data goes, step by step: batch → step → metrics, evaluation, geometry, sample, checkpoint. Of several processes number 0 decides about all of it and
/// does all but the steps alone; the others take the steps that it orders.
/// </summary>
public sealed class TrainLoop
{
    // A plan that changed by less is not worth a word.
    private const double WorthTelling = 0.1;

    private readonly TrainSession _session;
    private readonly ITrainObserver? _observer;
    private readonly TrainConfig _config;
    private readonly Pace _pace;
    private readonly Divergence _divergence;
    private readonly ICollective _collective;
    private readonly RecentLosses _losses = new();
    private readonly ResultWriter _result;
    private long _step;
    private CancellationToken _stop;
    private bool _isAskedToStop;

    /// <param name="session">What is trained; several loops may follow each other.</param>
    /// <param name="observer">Told how it goes, or null.</param>
    public TrainLoop(TrainSession session, ITrainObserver? observer = null)
    {
        _session = session;
        _observer = observer;
        _divergence = new Divergence(session);
        _pace = new Pace(session);
        _result = new ResultWriter(session);
        _collective = session.Collective;
        _config = session.Config.Train;
        _step = session.State.Step;
    }

    private int Steps => _session.Trainer.Schedule.Steps;

    private bool IsReached => _session.IsReached(_step);

    private bool IsEvaluationDue => _step == Steps || _pace.IsEvaluationDue(_step);

    /// <summary>
    /// Trains to the end of the plan, the time budget, <c>train.until</c>, <c>train.stopAfter</c>, or until asked to stop; then a checkpoint is on disk. Where any process of several is asked
    /// to stop, all do.
    /// </summary>
    public TrainSummary Run(CancellationToken stop = default)
    {
        (_stop, _isAskedToStop) = (stop, false);
        try
        {
            return _collective.Rank == 0 ? Lead(stop) : FollowerLoop.Run(_session, stop);
        }
        catch (Exception e)
        {
            // No other process waits for this one.
            _collective.Leave(e.Message);
            throw;
        }
    }

    private TrainSummary Lead(CancellationToken stop)
    {
        long begun = _step;
        try
        {
            if (begun < Steps && !IsReached)
            {
                _result.Begin();
            }

            TrainSummary summary = Train(stop);
            _result.End(summary, tookSteps: _step > begun);
            return summary;
        }
        catch (DivergedException e)
        {
            _result.Diverged(_step, e);
            throw;
        }
        catch (UserException e) when (e.InnerException is { } cause && FileFault.Is(cause) && _step > Math.Max(0, _session.SavedStep))
        {
            // A log could not be written: the steps are not lost for that.
            Save();
            throw new UserException($"{e.Message.TrimEnd('.')}; the state of step {_step} is saved in {_session.RunPath}", e);
        }
    }

    private TrainSummary Train(CancellationToken stop)
    {
        long started = _session.Clock.GetTimestamp();
        TrainEnd end = TrainEnd.Finished;
        bool isComplete = !IsLeftOver || (Look(stop) && Save());
        while (_step < Steps && isComplete && (end = WhyStop(stop)) == TrainEnd.Finished)
        {
            TakeStep();
            bool evaluates = IsEvaluationDue, saves = _step == Steps || _pace.IsCheckpointDue(_step);
            isComplete = Look(stop);
            if (isComplete)
            {
                Fit(evaluates);
            }

            if (saves && !_divergence.IsLost)
            {
                Save();
            }
        }

        if (end == TrainEnd.Finished && IsReached)
        {
            end = TrainEnd.Reached;
        }

        if (end == TrainEnd.OutOfTime)
        {
            // What was planned beyond is not going to be.
            _session.Fit(new FittedPlan(_step, (int)_step, _session.Planned.EvaluateEvery));
            isComplete = Look(stop);
        }

        end = isComplete ? end : TrainEnd.Interrupted;
        if (_session.SavedStep != _step || end == TrainEnd.OutOfTime)
        {
            Save();
        }

        end = LookClosely(end, stop);
        StepOrder.End(_collective, end);
        double seconds = _session.Clock.GetElapsedTime(started).TotalSeconds;
        return new TrainSummary(end, _step, _losses.Mean, _session.State.LastEvaluation, _pace.Steps.TokensPerSecond, seconds)
        {
            Terms = _losses.Terms, FullValidation = _session.State.FullEvaluation, ValidationStep = _session.State.EvaluatedStep,
        };
    }

    // A stop came in the evaluation that belonged to the step of the checkpoint.
    private bool IsLeftOver => _step > 0 && IsEvaluationDue
        && (_session.State.EvaluatedStep is { } evaluated ? evaluated < _step : _session.State.LastEvaluation is null && _session.EvaluationTokens > 0);

    private void TakeStep()
    {
        _pace.Steps.Start();
        StepResult result = Saving(static loop =>
        {
            loop._isAskedToStop = StepOrder.Give(loop._collective, loop._stop);
            return loop._session.Trainer.Step(loop._step);
        });
        _pace.Steps.Stop(result.Tokens);
        if (_divergence.IsNotFinite(result))
        {
            throw NotFinite("the loss");
        }

        _step++;
        _pace.Stepped();
        Report(result);
        if (_divergence.HasLost(result))
        {
            throw Beyond("the loss", result.Loss);
        }
    }

    // Evaluates, samples and measures where that is due; false where a stop was asked for on the way.
    private bool Look(CancellationToken stop)
    {
        try
        {
            if (IsEvaluationDue)
            {
                Evaluate(isLast: _step == Steps, stop);
            }

            if (_config.SampleEvery > 0 && _step % _config.SampleEvery == 0)
            {
                string text = _session.Sample(_step, stop);
                _observer?.Sampled(_step, text);
            }

            _session.Geometry?.Measure(_step, _pace.Steps.LastSeconds, isLast: _step == Steps || IsReached, _pace.MostToMeasure, _pace.IsCheckpointDue(_step), stop);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return false;
        }
    }

    // What takes long is done once all else is on the disk.
    private TrainEnd LookClosely(TrainEnd end, CancellationToken stop)
    {
        try
        {
            if (end is TrainEnd.Finished or TrainEnd.Reached or TrainEnd.OutOfTime)
            {
                _session.EvaluateInDetail(_step, () => _observer?.Note("evaluating in detail …"), stop);
            }

            return end;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return TrainEnd.Interrupted;
        }
    }

    private void Evaluate(bool isLast, CancellationToken stop)
    {
        if (_pace.Evaluation(_step, isLast, () => Saving(loop => loop._session.Evaluate(loop._step, isLast, stop))) is { } evaluation)
        {
            _observer?.Evaluated(_step, evaluation, isLast || IsReached ? _session.State.FullEvaluation : null);
            if (!double.IsFinite(evaluation.Loss))
            {
                throw NotFinite("the validation loss");
            }

            if (_divergence.IsBeyond(evaluation.Loss))
            {
                throw Beyond("the validation loss", evaluation.Loss);
            }
        }
    }

    private TrainEnd WhyStop(CancellationToken stop) =>
        IsReached ? TrainEnd.Reached
        : stop.IsCancellationRequested || _isAskedToStop ? TrainEnd.Interrupted
        : _config.StopAfter > 0 && _step >= _config.StopAfter ? TrainEnd.StoppedAfter
        : _step > 0 && _pace.IsOver ? TrainEnd.OutOfTime
        : TrainEnd.Finished;

    private void Report(in StepResult result)
    {
        _losses.Add(result);
        double rate = _pace.Steps.SmoothedTokensPerSecond;
        if (_step % _config.LogEvery == 0 || _step == Steps)
        {
            _session.LogStep(_step, result, rate);
        }

        _observer?.Stepped(new StepReport(_step, _pace.IsPlanned ? Steps : null, result, rate, _pace.LeftToShow(_step)));
    }

    private void Fit(bool isEvaluated)
    {
        int before = Steps;
        if (_pace.Fit(_step, isEvaluated) is { } plan && Math.Abs((long)plan.Steps - before) > WorthTelling * before)
        {
            _observer?.Note(string.Create(CultureInfo.InvariantCulture, $"{_config.Minutes:0.##} minutes are about {plan.Steps:N0} steps"));
        }
    }

    private bool Save()
    {
        if (_pace.Checkpoint(() => _session.Save(_step, _pace.Steps.StepSeconds)) is { } path)
        {
            _observer?.Saved(_step, path);
        }

        return true;
    }

    // Where the text cannot be read any more, the steps that were taken are not lost.
    private T Saving<T>(Func<TrainLoop, T> action)
    {
        try
        {
            return action(this);
        }
        catch (UserException e) when (_step > 0 && _session.RunPath is not null)
        {
            if (_session.SavedStep != _step)
            {
                Save();
            }

            throw new UserException($"{e.Message}; the state after step {_step} is saved in {_session.RunPath}", e);
        }
    }

    // The state is as it was before the step: nothing was updated.
    private DivergedException NotFinite(string what)
    {
        if (_session.SavedStep != _step)
        {
            Save();
        }

        return _divergence.NotFinite(_step, what);
    }

    // The last checkpoint is of a better state; without one, this state is better than none.
    private DivergedException Beyond(string what, double loss)
    {
        if (_session.SavedStep < 0)
        {
            Save();
        }

        return _divergence.Beyond(_step, what, loss);
    }
}
