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
    private readonly RunSaves _saves;
    private readonly RunLooks _looks;
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
        _saves = new RunSaves(session, _pace, _divergence, observer);
        _looks = new RunLooks(session, _pace, _divergence, _saves, observer);
        _result = new ResultWriter(session);
        _collective = session.Collective;
        _config = session.Config.Train;
        _step = session.State.Step;
    }

    private int Steps => _session.Trainer.Schedule.Steps;

    private bool IsReached => _session.IsReached(_step);

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
            throw _saves.Unwritten(_step, e);
        }
    }

    private TrainSummary Train(CancellationToken stop)
    {
        long started = _session.Clock.GetTimestamp();
        TrainEnd end = TrainEnd.Finished;
        bool isComplete = !_looks.IsLeftOver(_step);
        if (!isComplete && (isComplete = _looks.Look(_step, stop)))
        {
            _saves.Save(_step);
        }

        while (_step < Steps && isComplete && (end = WhyStop(stop)) == TrainEnd.Finished)
        {
            TakeStep();
            bool evaluates = _looks.IsEvaluationDue(_step), saves = _step == Steps || _pace.IsCheckpointDue(_step);
            isComplete = _looks.Look(_step, stop);
            if (isComplete)
            {
                Fit(evaluates);
            }

            if (saves && !_divergence.IsLost)
            {
                _saves.Save(_step);
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
            isComplete = _looks.Look(_step, stop);
        }

        end = isComplete ? end : TrainEnd.Interrupted;
        if (_session.SavedStep != _step || end == TrainEnd.OutOfTime)
        {
            _saves.Save(_step);
        }

        end = _looks.LookClosely(_step, end, stop);
        StepOrder.End(_collective, end);
        double seconds = _session.Clock.GetElapsedTime(started).TotalSeconds;
        return new TrainSummary(end, _step, _losses.Mean, _session.State.LastEvaluation, _pace.Steps.TokensPerSecond, seconds)
        {
            Terms = _losses.Terms, FullValidation = _session.State.FullEvaluation, ValidationStep = _session.State.EvaluatedStep,
        };
    }

    private void TakeStep()
    {
        _pace.Steps.Start();
        StepResult result = _saves.Guard(_step, this, static loop =>
        {
            loop._isAskedToStop = StepOrder.Give(loop._collective, loop._stop);
            return loop._session.Trainer.Step(loop._step);
        });
        _pace.Steps.Stop(result.Tokens);
        if (_divergence.IsNotFinite(result))
        {
            throw _saves.NotFinite(_step, "the loss");
        }

        _step++;
        _pace.Stepped();
        Report(result);
        if (_divergence.HasLost(result))
        {
            throw _saves.Beyond(_step, "the loss", result.Loss);
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
}
