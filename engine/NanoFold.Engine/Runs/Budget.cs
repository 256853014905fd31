using NanoFold.Engine.Model;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>
/// How long a run is: by steps, tokens, FLOPs or seconds, whichever ends it first. The first three are a number of steps, known before the run begins; to the seconds
/// the plan is fitted while it runs (<see cref="FittedPlan"/>).
/// </summary>
/// <param name="Steps">The most steps that steps, tokens and FLOPs allow, at least one.</param>
/// <param name="Key">The setting that says so: <c>train.steps</c>, <c>train.tokens</c> or <c>train.flops</c>.</param>
/// <param name="Seconds">The time, of all starts of the run together; null for any.</param>
public sealed record Budget(int Steps, string Key, double? Seconds)
{
    /// <summary>Whether nothing but the time ends the run.</summary>
    public bool IsUnbounded => Steps == TrainConfig.Unbounded;

    /// <summary>The budget of a run.</summary>
    /// <param name="config">Resolved, its vocabulary and its batch known.</param>
    public static Budget Of(RunConfig config)
    {
        TrainConfig train = config.Train;
        double tokensPerStep = (double)train.Batch * train.Accumulate * config.Model.Context;
        var budget = new Budget(train.Steps, "train.steps", train.Minutes > 0 ? train.Minutes * 60 : null);
        budget = train.Tokens > 0 ? budget.AtMost(train.Tokens / tokensPerStep, "train.tokens") : budget;
        return train.Flops > 0 ? budget.AtMost(train.Flops / (tokensPerStep * CostModel.FlopsPerToken(config.Model, config.Train.Trains)), "train.flops") : budget;
    }

    private Budget AtMost(double steps, string key) => steps < Steps ? this with { Steps = (int)Math.Max(1, Math.Floor(steps)), Key = key } : this;
}
