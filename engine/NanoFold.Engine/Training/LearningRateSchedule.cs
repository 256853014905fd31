namespace NanoFold.Engine.Training;

/// <summary>Share of the peak learning rate at each step: linear warm-up, then cosine, linear, constant, or constant with a linear tail (WSD).</summary>
public sealed class LearningRateSchedule(ScheduleKind kind, int steps, int warmup, double final, double decayFraction)
{
    public int Steps { get; } = steps;

    public static LearningRateSchedule From(TrainConfig config, int steps) => new(
        config.Schedule, steps, Math.Min(config.Warmup ?? 0, steps), config.FinalLearningRate, config.DecayFraction);

    /// <summary>The factor at <paramref name="step"/>, from 0.</summary>
    public double At(long step)
    {
        if (step < warmup)
        {
            return (step + 1.0) / warmup;
        }

        double progress = Math.Clamp((double)(step - warmup) / Math.Max(1, Steps - warmup), 0, 1);
        return kind switch
        {
            ScheduleKind.Cosine => final + (1 - final) * 0.5 * (1 + Math.Cos(Math.PI * progress)),
            ScheduleKind.Linear => 1 + (final - 1) * progress,
            ScheduleKind.Wsd => Tail(step),
            _ => 1,
        };
    }

    private double Tail(long step)
    {
        double length = Math.Max(1, decayFraction * Steps);
        double into = Math.Clamp((step - (Steps - length)) / length, 0, 1);
        return 1 + (final - 1) * into;
    }
}
