using NanoFold.Engine.Geometry;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>How fast a run goes: times its parts, says what is left, and keeps it within its time.</summary>
internal sealed class Pace
{
    private readonly TrainSession _session;
    private readonly TimeProvider _clock;
    private readonly RunCosts _costs;
    private readonly TimeBudget? _budget;
    private readonly double _checkpointSeconds;
    private long _since;
    private long _saved;
    private double _evaluated;

    public Pace(TrainSession session)
    {
        TrainConfig config = session.Config.Train;
        _session = session;
        _clock = session.Clock;
        Steps = new StepClock(_clock);
        _costs = new RunCosts((long)config.Batch * config.Accumulate * session.Config.Model.Context, session.EvaluationTokens, session.LastEvaluationTokens);
        _checkpointSeconds = config.CheckpointMinutes * 60;
        _since = _saved = _clock.GetTimestamp();
        Budget budget = Budget.Of(session.Config);
        if (budget.Seconds is { } seconds)
        {
            double measuring = session.Geometry is null ? 0 : Math.Min(0.1 * seconds, Math.Max(GeometryRecorder.LastSeconds, session.Config.Geometry.Budget * seconds));
            _budget = new TimeBudget(seconds, measuring, budget.Steps, config.FollowsPlan ? 0 : config.EvaluateEvery);
            if (session.State.Plans is { Count: > 0 })
            {
                _budget.Planned();
            }
        }
    }

    /// <summary>Times steps.</summary>
    public StepClock Steps { get; }

    /// <summary>Whether the time is over.</summary>
    public bool IsOver => _budget?.Left(_session.ElapsedSeconds) == 0;

    /// <summary>Whether the number of steps is known: with a time budget, once it was fitted.</summary>
    public bool IsPlanned => _budget is null or { IsPlanned: true } || _session.Planned.Steps < TrainConfig.Unbounded;

    /// <summary>Seconds that the measurement at the end may take.</summary>
    public double MostToMeasure => _budget?.LeftToMeasure(_session.ElapsedSeconds) ?? double.PositiveInfinity;

    /// <summary>
    /// Whether a step is followed by an evaluation: a multiple of the interval, or, where the interval changes with the plan, so long after the last one.
    /// </summary>
    public bool IsEvaluationDue(long step) => _budget is null
        ? step % _session.Planned.EvaluateEvery == 0
        : step - (_session.State.EvaluatedStep ?? 0) >= _session.Planned.EvaluateEvery;

    /// <summary>Whether a step is followed by a checkpoint.</summary>
    public bool IsCheckpointDue(long step)
        => (_checkpointSeconds > 0 && _clock.GetElapsedTime(_saved).TotalSeconds >= _checkpointSeconds)
        || (_budget is null ? step % _session.Planned.CheckpointEvery == 0 : step - Math.Max(0, _session.SavedStep) >= _session.Planned.CheckpointEvery);

    /// <summary>Seconds to the end of the run after a step; null until that is known.</summary>
    public double? LeftToShow(long step)
    {
        double? planned = IsPlanned ? Left(step) : null;
        double? most = _budget?.Left(_session.ElapsedSeconds);
        return planned < most || most is null ? planned : most;
    }

    /// <summary>A step was taken.</summary>
    public void Stepped() => _costs.Stepped(Steps.LastSeconds);

    /// <summary>Times an evaluation.</summary>
    public T Evaluation<T>(long step, bool isLast, Func<T> evaluate)
    {
        long began = _clock.GetTimestamp();
        T result = evaluate();
        double seconds = _clock.GetElapsedTime(began).TotalSeconds;
        _evaluated += seconds;
        _costs.Evaluated(seconds, isLast ? _session.LastEvaluationTokens(step) : _session.EvaluationTokens);
        return result;
    }

    /// <summary>Times a checkpoint.</summary>
    public T Checkpoint<T>(Func<T> save)
    {
        long began = _clock.GetTimestamp();
        T result = save();
        _saved = _clock.GetTimestamp();
        _budget?.Saved(_clock.GetElapsedTime(began, _saved).TotalSeconds);
        return result;
    }

    /// <summary>After everything that belongs to a step but its checkpoint: fits the plan to the time. Returns the plan where it is another one now.</summary>
    public FittedPlan? Fit(long step, bool isEvaluated)
    {
        long now = _clock.GetTimestamp();
        _costs.Passed(_clock.GetElapsedTime(_since, now).TotalSeconds - _evaluated);
        (_since, _evaluated) = (now, 0);
        if (_budget is null || Next(step, isEvaluated) is not { } plan)
        {
            return null;
        }

        _session.Fit(plan);
        return plan;
    }

    private double? Left(long step) => _costs.Left(step, _session.Planned.Steps, _session.Planned.EvaluateEvery, _session.State.EvaluatedStep ?? 0);

    // What an earlier start of the run fitted holds again, so that its steps are the same.
    private FittedPlan? Next(long step, bool isEvaluated)
    {
        if (_session.PlansToRepeat is [.., var last] && step <= last.Step)
        {
            _budget!.Planned();
            return _session.PlansToRepeat.Cast<FittedPlan?>().FirstOrDefault(plan => plan!.Value.Step == step);
        }

        return _budget!.Fit(_session.ElapsedSeconds, step, _session.Planned.Steps, Left(step), _costs, isEvaluated);
    }
}
