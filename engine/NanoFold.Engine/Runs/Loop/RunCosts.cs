namespace NanoFold.Engine.Runs;

/// <summary>
/// What the parts of a run take: steps, evaluations, and whatever else happens between steps. From it follows what the rest of a run is going to take.
/// </summary>
/// <param name="stepTokens">Tokens of a step.</param>
/// <param name="curveTokens">Tokens of an evaluation on the way.</param>
/// <param name="lastTokens">Tokens of all evaluations at the end of a run of so many steps together.</param>
internal sealed class RunCosts(long stepTokens, long curveTokens, Func<long, long> lastTokens)
{
    // The first steps compile kernels, so they tell nothing of the others.
    private const int StepsBefore = 3;
    private const int Recent = 16;

    private readonly double[] _recent = new double[Recent];
    private readonly double[] _sorted = new double[Recent];
    private long _steps;
    private long _others;
    private double _other;

    // What a token takes in an evaluation, of what it takes in a step: about a third before the first one, for there is no backward pass. Both get slower together.
    private double _evaluatedShare = 1.0 / 3;

    /// <summary>Seconds of a step: the median of the last ones, which a single interruption does not move; null until some were taken.</summary>
    public double? Step { get; private set; }

    /// <summary>Seconds between two steps besides evaluations: samples, measurements, checkpoints, and steps that took longer than usual.</summary>
    public double Between => _others == 0 ? 0 : _other / _others;

    /// <summary>Seconds of an evaluation on the way; before the first one, by the time of a step.</summary>
    public double Evaluation => curveTokens * PerToken;

    private double PerToken => _evaluatedShare * (Step ?? 0) / stepTokens;

    /// <summary>Seconds of the evaluations at the end of a run of so many steps.</summary>
    public double LastEvaluation(long steps) => lastTokens(steps) * PerToken;

    /// <summary>A step was taken.</summary>
    public void Stepped(double seconds)
    {
        if (++_steps <= StepsBefore)
        {
            return;
        }

        _recent[(_steps - StepsBefore - 1) % Recent] = seconds;
        int count = (int)Math.Min(_steps - StepsBefore, Recent);
        Span<double> sorted = _sorted.AsSpan(0, count);
        _recent.AsSpan(0, count).CopyTo(sorted);
        sorted.Sort();
        Step = sorted[count / 2];
    }

    /// <summary>An evaluation was made.</summary>
    public void Evaluated(double seconds, long tokens)
    {
        if (tokens > 0 && Step is > 0 and var step)
        {
            _evaluatedShare = seconds / tokens / (step / stepTokens);
        }
    }

    /// <summary>A step and what came after it, without evaluations, took so long.</summary>
    public void Passed(double seconds)
    {
        if (Step is { } step)
        {
            _other += Math.Max(0, seconds - step);
            _others++;
        }
    }

    /// <summary>Seconds from a step to the end of a plan; null until a step's time is known.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="steps">Steps planned.</param>
    /// <param name="evaluateEvery">Steps between evaluations.</param>
    /// <param name="evaluated">The step of the last one.</param>
    public double? Left(long step, long steps, long evaluateEvery, long evaluated)
    {
        if (step >= steps || Step is not { } each)
        {
            return step >= steps ? 0 : null;
        }

        long evaluations = (steps - 1 - evaluated) / evaluateEvery - (step - evaluated) / evaluateEvery;
        return (steps - step) * (each + Between) + evaluations * Evaluation + LastEvaluation(steps);
    }
}
