using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>How far a run is, and what is planned for the rest of it: its state, its plan, its clock.</summary>
/// <param name="config">Resolved.</param>
/// <param name="trainer">Gets the schedule of the plan.</param>
/// <param name="contentHash">Of what is trained on.</param>
internal sealed class RunProgress(RunConfig config, Trainer trainer, string contentHash)
{
    private TimeProvider _clock = TimeProvider.System;
    private long _opened = TimeProvider.System.GetTimestamp();
    private double _secondsBefore;
    private double _elapsedBefore;

    /// <summary>As of the last evaluation or checkpoint.</summary>
    public TrainState State { get; set; } = new(0, Budget.Of(config).Steps, 0, null, null, contentHash);

    /// <summary>The section <c>train</c> as it is for the steps planned now, which a time budget may change.</summary>
    public TrainConfig Planned { get; private set; } = config.Planned();

    /// <summary>The step of the newest checkpoint, −1 where there is none yet.</summary>
    public long SavedStep { get; set; } = -1;

    /// <summary>Plans that a start before this one fitted after the checkpoint from which it goes on: they hold again.</summary>
    public IReadOnlyList<FittedPlan> PlansToRepeat { get; private set; } = [];

    /// <summary>Another clock than the system's, from now on.</summary>
    public TimeProvider Clock
    {
        get => _clock;
        set => (_clock, _opened) = (value, value.GetTimestamp());
    }

    /// <summary>Seconds of the clock on the wall, of all starts of the run together.</summary>
    public double ElapsedSeconds => _elapsedBefore + _clock.GetElapsedTime(_opened).TotalSeconds;

    /// <summary>Changes the number of steps planned, and with it the schedule, as of the beginning.</summary>
    public void Replan(int steps)
    {
        Planned = config.Planned(steps);
        trainer.Schedule = LearningRateSchedule.From(Planned, steps);
        State = State with { Steps = steps };
    }

    /// <summary>Changes the plan after some steps.</summary>
    public void Fit(FittedPlan plan)
    {
        Planned = config.Planned(plan.Steps, plan.EvaluateEvery);
        trainer.Schedule = trainer.Schedule.Fit(Planned, plan.Step);
        State = State with { Steps = plan.Steps, Plans = [.. State.Plans ?? [], plan] };
    }

    /// <summary>Goes on from the state of a checkpoint.</summary>
    /// <param name="state">Its state.</param>
    /// <param name="later">The plans that were fitted after it.</param>
    public void Continue(TrainState state, IReadOnlyList<FittedPlan> later)
    {
        if (state.Plans is { Count: > 0 } plans)
        {
            foreach (FittedPlan plan in plans)
            {
                Fit(plan);
            }
        }
        else
        {
            Replan(state.Steps);
        }

        PlansToRepeat = later;
        trainer.LossScale = (state.LossScale, state.GoodSteps);
        State = state;
        SavedStep = state.Step;
        _secondsBefore = state.Seconds;
        _elapsedBefore = state.ElapsedSeconds ?? state.Seconds;
    }

    /// <summary>Takes the state to a step, as the checkpoint of that step keeps it.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="seconds">Spent on them since the run was opened.</param>
    /// <param name="best">The validation loss of the model where it is the lowest so far, otherwise null.</param>
    public void Reach(long step, double seconds, double? best)
    {
        (double lossScale, long goodSteps) = trainer.LossScale;
        State = State with
        {
            Step = step, Seconds = _secondsBefore + seconds, ElapsedSeconds = ElapsedSeconds, BestLoss = best ?? State.BestLoss, LossScale = lossScale, GoodSteps = goodSteps,
        };
    }
}
