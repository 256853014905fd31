using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Training;

/// <summary>Share of the peak learning rate at each step: linear warm-up, then cosine, linear, constant, constant with a tail (WSD), or by the inverse root of the step.</summary>
public sealed class LearningRateSchedule(ScheduleKind kind, int steps, int warmup, double final, double decayFraction, DecayShape shape = DecayShape.Linear)
{
    /// <summary>What counts as the warm-up of an inverse root that has none.</summary>
    private const int PlainTimescale = 10_000;

    // After a plan was changed when the decay had begun: what was left of the shape then is spread over the steps that are left.
    private int? _planned;
    private long _fittedAt;
    private double _position;

    /// <summary>Steps planned.</summary>
    public int Steps => _planned ?? steps;

    /// <summary>Steps after which the rate falls.</summary>
    private double DecayBegins => kind switch
    {
        ScheduleKind.Constant => Steps,
        ScheduleKind.Wsd => Math.Max(warmup, steps - TailLength),
        _ => warmup,
    };

    private double TailLength => Math.Max(1, decayFraction * steps);

    public static LearningRateSchedule From(TrainConfig config, int steps) => new(
        config.Schedule, steps, Math.Min(config.Warmup ?? 0, steps), config.FinalLearningRate, config.DecayFraction, config.DecayShape);

    /// <summary>The factor at <paramref name="step"/>, from 0.</summary>
    public double At(long step)
    {
        double position = PositionOf(step);
        if (position < warmup)
        {
            return (position + 1.0) / warmup;
        }

        double progress = Math.Clamp((position - warmup) / Math.Max(1, steps - warmup), 0, 1);
        return kind switch
        {
            ScheduleKind.Cosine => final + (1 - final) * HalfCosine(progress),
            ScheduleKind.Linear => 1 + (final - 1) * progress,
            ScheduleKind.Wsd => Tail(position),
            ScheduleKind.InverseSqrt when warmup > 0 => Math.Sqrt(warmup / position),
            ScheduleKind.InverseSqrt => Math.Sqrt(PlainTimescale / (PlainTimescale + position)),
            _ => 1,
        };
    }

    /// <summary>
    /// The schedule of a plan that is changed after <paramref name="step"/> steps: until the decay begins, that of a run of so many steps; later, what is left of
    /// the decay over what is left of the steps, so that it ends where it was to end. An inverse root, which has no end, goes on as it was.
    /// </summary>
    /// <param name="config">With the new number of steps, and the warm-up of such a run.</param>
    /// <param name="step">Steps taken.</param>
    public LearningRateSchedule Fit(TrainConfig config, long step)
        => _fittedAt == 0 && step <= DecayBegins
            ? From(config, config.Steps)
            : new LearningRateSchedule(kind, steps, warmup, final, decayFraction, shape) { _planned = config.Steps, _fittedAt = step, _position = PositionOf(step) };

    // Where in the shape of the first plan a step is.
    private double PositionOf(long step) => _fittedAt == 0 || kind == ScheduleKind.InverseSqrt ? step : _position + (step - _fittedAt) * ((steps - _position) / Math.Max(1, Steps - _fittedAt));

    private double Tail(double position)
    {
        double into = Math.Clamp((position - (steps - TailLength)) / TailLength, 0, 1);
        return shape switch
        {
            DecayShape.Cosine => final + (1 - final) * HalfCosine(into),
            DecayShape.Sqrt => 1 + (final - 1) * Math.Sqrt(into),
            _ => 1 + (final - 1) * into,
        };
    }

    // From 1 down to 0.
    private static double HalfCosine(double x) => 0.5 * (1 + PortableMath.SinCos(Math.PI * x).Cos);
}
