using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Going on with another number of steps than the run was begun with. That is the run of so many steps where every step taken so far would have had
/// the same learning rate in it: always with a constant rate, with <see cref="ScheduleKind.Wsd"/> until its decay begins, otherwise only within the warm-up.
/// </summary>
internal static class MoreSteps
{
    /// <summary>The state with the number of steps that is asked for now.</summary>
    /// <param name="state">Of the checkpoint.</param>
    /// <param name="saved">The configuration that it was written with.</param>
    /// <param name="config">What is asked for.</param>
    /// <param name="run">Where other checkpoints may be, for the message.</param>
    /// <exception cref="UserException">The steps taken do not belong to a run of so many steps.</exception>
    public static TrainState Plan(TrainState state, RunConfig saved, RunConfig config, RunFolder run)
    {
        Budget budget = Budget.Of(config);
        int steps = budget.Steps;
        if (config.Train.Steps != saved.Train.Steps && steps < config.Train.Steps)
        {
            throw new UserException($"train.steps: {run.Path} ends by {budget.Key} after {steps} steps; ask for more of that");
        }

        if (steps == Budget.Of(saved).Steps)
        {
            string? asked = config.Train.Tokens != saved.Train.Tokens ? "train.tokens" : config.Train.Flops != saved.Train.Flops ? "train.flops" : null;
            return asked is null || asked == budget.Key || budget.Seconds is not null
                ? state
                : throw new UserException($"{asked}: {run.Path} ends by {budget.Key} after {steps} steps; ask for more of that");
        }

        if (budget.Seconds is not null)
        {
            throw new UserException($"{budget.Key}: {run.Path} plans its steps by train.minutes, so they cannot be set now; begin a new run with its weights: train --init {run.Path}");
        }

        if (steps <= state.Step)
        {
            throw new UserException($"{budget.Key}: {run.Path} has taken {state.Step} steps already; ask for more{(budget.Key == "train.steps" ? $" than {state.Step}" : "")}");
        }

        LearningRateSchedule before = LearningRateSchedule.From(saved.Planned(state.Steps), state.Steps), after = LearningRateSchedule.From(config.Planned(steps), steps);
        long alike = 0;
        while (alike < state.Step && before.At(alike) == after.At(alike))
        {
            alike++;
        }

        if (alike == state.Step)
        {
            return state with { Steps = steps };
        }

        Checkpoint? earlier = run.Checkpoints.List().LastOrDefault(checkpoint => checkpoint.Step <= alike && checkpoint.Step > 0);
        string back = earlier is null ? "" : $"go on from before that with --resume {earlier.Path} {Option(budget, config)}, or ";
        throw new UserException(
            $"{budget.Key}: from step {alike + 1} on, {run.Path} had the learning rates of a run of {state.Steps} steps (train.schedule={saved.Train.Schedule.ToString().ToLowerInvariant()}), not of {steps}; {back}begin a new run with its weights: train --init {run.Path} --steps {steps - state.Step}");
    }

    private static string Option(Budget budget, RunConfig config) => budget.Key switch
    {
        "train.tokens" => FormattableString.Invariant($"--tokens {config.Train.Tokens}"),
        "train.flops" => FormattableString.Invariant($"--flops {config.Train.Flops}"),
        _ => FormattableString.Invariant($"--steps {budget.Steps}"),
    };
}
