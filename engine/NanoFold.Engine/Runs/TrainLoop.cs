using System.Diagnostics;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>The way the data goes, step by step: batch → step → metrics, evaluation, geometry, sample, checkpoint.</summary>
public sealed class TrainLoop
{
    // The first steps compile kernels; a time budget is spread over steps timed after them.
    private const int StepsBeforeTiming = 5;
    private const int StepsTimed = 20;

    private readonly TrainSession _session;
    private readonly ITrainObserver? _observer;
    private readonly TrainConfig _config;
    private readonly StepClock _clock = new();
    private readonly Divergence _divergence;
    private readonly Queue<double> _recentLosses = new();
    private long _step;
    private LossTerms _terms;

    /// <param name="session">What is trained; several loops may follow each other.</param>
    /// <param name="observer">Told how it goes, or null.</param>
    public TrainLoop(TrainSession session, ITrainObserver? observer = null)
    {
        _session = session;
        _observer = observer;
        _divergence = new Divergence(session);
        _config = session.Config.Train;
        _step = session.State.Step;
    }

    private int Steps => _session.Trainer.Schedule.Steps;

    /// <summary>Trains to the end of the plan, the time budget, <c>train.stopAfter</c>, or until asked to stop; then a checkpoint is on disk.</summary>
    public TrainSummary Run(CancellationToken stop = default)
    {
        try
        {
            return Train(stop);
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
        long started = Stopwatch.GetTimestamp();
        TrainEnd end = TrainEnd.Finished;
        bool isComplete = true;
        while (_step < Steps && (end = WhyStop(stop, started)) == TrainEnd.Finished)
        {
            _clock.Start();
            StepResult result = Saving(static loop => loop._session.Trainer.Step(loop._step));
            _clock.Stop(result.Tokens);
            if (_divergence.IsNotFinite(result))
            {
                throw NotFinite("the loss");
            }

            _step++;
            Report(result);
            if (_divergence.HasLost(result))
            {
                throw Beyond("the loss", result.Loss);
            }

            PlanWithin(started);
            isComplete = Look(stop);
            if (Due(_config.CheckpointEvery) && !_divergence.IsLost)
            {
                Save();
            }
        }

        if (end == TrainEnd.OutOfTime)
        {
            Evaluate(isLast: true, stop);
            _session.Geometry?.Measure(_step, _clock.LastSeconds, isLast: true, stop);
        }

        if (_session.SavedStep != _step)
        {
            Save();
        }

        end = isComplete ? end : TrainEnd.Interrupted;
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new TrainSummary(end, _step, _recentLosses.DefaultIfEmpty(double.NaN).Average(), _session.State.LastEvaluation, _clock.TokensPerSecond, seconds)
        {
            Terms = _terms, FullValidation = _session.State.FullEvaluation,
        };
    }

    // Evaluates, samples and measures where that is due; false where a stop was asked for on the way.
    private bool Look(CancellationToken stop)
    {
        try
        {
            if (Due(_config.EvaluateEvery))
            {
                Evaluate(isLast: _step == Steps, stop);
            }

            if (_config.SampleEvery > 0 && _step % _config.SampleEvery == 0)
            {
                string text = _session.Sample(_step, stop);
                _observer?.Sampled(_step, text);
            }

            _session.Geometry?.Measure(_step, _clock.LastSeconds, isLast: _step == Steps, stop);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return false;
        }
    }

    private void Evaluate(bool isLast, CancellationToken stop)
    {
        if (Saving(loop => loop._session.Evaluate(loop._step, isLast, stop)) is { } evaluation)
        {
            _observer?.Evaluated(_step, evaluation, isLast ? _session.State.FullEvaluation : null);
            if (!double.IsFinite(evaluation.Loss))
            {
                throw NotFinite("the validation loss");
            }

            if (Divergence.IsBeyond(evaluation.Loss))
            {
                throw Beyond("the validation loss", evaluation.Loss);
            }
        }
    }

    private TrainEnd WhyStop(CancellationToken stop, long started) =>
        stop.IsCancellationRequested ? TrainEnd.Interrupted
        : _config.StopAfter > 0 && _step >= _config.StopAfter ? TrainEnd.StoppedAfter
        : _config.Minutes > 0 && Stopwatch.GetElapsedTime(started).TotalMinutes >= _config.Minutes ? TrainEnd.OutOfTime
        : TrainEnd.Finished;

    // Intervals shrink with a plan that a time budget made shorter.
    private bool Due(int every) => _step == Steps || _step % Math.Max(1, (long)every * Steps / _config.Steps) == 0;

    private void Report(in StepResult result)
    {
        if (result.IsFinite)
        {
            _recentLosses.Enqueue(result.Loss);
            _terms = result.Terms;
        }

        if (_recentLosses.Count > 50)
        {
            _recentLosses.Dequeue();
        }

        if (_step % _config.LogEvery == 0 || _step == Steps)
        {
            _session.LogStep(_step, result, _clock.SmoothedTokensPerSecond);
        }

        double left = (Steps - _step) * _clock.SecondsPerStep;
        _observer?.Stepped(new StepReport(_step, Steps, result, _clock.SmoothedTokensPerSecond, left));
    }

    // With a time budget the plan, and so the learning rate's decay, is fitted to it once, as soon as a step's time is known.
    private void PlanWithin(long started)
    {
        if (_config.Minutes > 0 && _step == StepsBeforeTiming + StepsTimed)
        {
            double left = _config.Minutes * 60 - Stopwatch.GetElapsedTime(started).TotalSeconds;
            // A tenth is kept for evaluations and checkpoints.
            int fitting = (int)Math.Clamp(_step + 0.9 * left / _clock.SecondsPerStep, _step + 1, Steps);
            if (fitting < Steps)
            {
                _session.Replan(fitting);
                _observer?.Note($"{_config.Minutes:0.##} minutes are about {fitting} steps");
            }
        }
    }

    private void Save()
    {
        if (_session.Save(_step, _clock.StepSeconds) is { } path)
        {
            _observer?.Saved(_step, path);
        }
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
    private UserException NotFinite(string what)
    {
        if (_session.SavedStep != _step)
        {
            Save();
        }

        return _divergence.NotFinite(_step, what);
    }

    // The last checkpoint is of a better state; without one, this state is better than none.
    private UserException Beyond(string what, double loss)
    {
        if (_session.SavedStep < 0)
        {
            Save();
        }

        return _divergence.Beyond(_step, what, loss);
    }
}
