namespace NanoFold.Engine.Runs;

/// <summary>
/// Fits the number of steps to a time. The first fitting follows as soon as a step's time is known, another one every evaluation, and one at once where the run has
/// fallen behind, so that it ends with its learning rate decayed, evaluated, measured and saved within the time.
/// </summary>
/// <param name="seconds">The time, of all starts of the run together.</param>
/// <param name="atEnd">Seconds that the last measurement may take.</param>
/// <param name="mostSteps">Steps that the run may have whatever the time.</param>
/// <param name="evaluateEvery">Steps between evaluations; 0 for as many as suit the plan.</param>
internal sealed class TimeBudget(double seconds, double atEnd, int mostSteps, int evaluateEvery)
{
    // What is known after so many steps, or after this share of the time, is enough for a first plan.
    private const int StepsBeforePlan = 25;
    private const double ShareBeforePlan = 0.05;

    // Kept for what cannot be foreseen, of what is left and of all; a run has fallen behind where the first is used up.
    private const double Reserve = 0.03;
    private const double LeastReserve = 0.01;

    // Of what is left of a plan; below, a fitting is not worth a line.
    private const double WorthPlanning = 0.02;

    // Evaluations take no more than this share of the steps' time.
    private const double EvaluationShare = 0.25;

    private const int EvaluationsPerRun = 10;

    private double _save;

    /// <summary>Whether a plan was fitted.</summary>
    public bool IsPlanned { get; private set; }

    /// <summary>What the last checkpoint took.</summary>
    public void Saved(double seconds) => _save = seconds;

    /// <summary>Seconds left.</summary>
    public double Left(double elapsed) => Math.Max(0, seconds - elapsed);

    /// <summary>What the measurement at the end may take now.</summary>
    public double LeftToMeasure(double elapsed) => Math.Max(atEnd, Left(elapsed) - _save);

    /// <summary>A plan that was made in another start of the run.</summary>
    public void Planned() => IsPlanned = true;

    /// <summary>The plan after a step, where it is to be another one.</summary>
    /// <param name="elapsed">Seconds of all starts of the run so far.</param>
    /// <param name="step">Steps taken.</param>
    /// <param name="steps">Steps planned.</param>
    /// <param name="planned">Seconds that the plan is going to take.</param>
    /// <param name="costs">What the parts of the run take.</param>
    /// <param name="isEvaluated">The step was followed by an evaluation.</param>
    public FittedPlan? Fit(double elapsed, long step, int steps, double? planned, RunCosts costs, bool isEvaluated)
    {
        if (step >= steps || costs.Step is not { } each)
        {
            return null;
        }

        double left = Left(elapsed) - atEnd - _save - LeastReserve * seconds, reserved = left - Reserve * Left(elapsed);
        bool isFirst = !IsPlanned && (step >= StepsBeforePlan || elapsed >= ShareBeforePlan * seconds);
        bool isBehind = IsPlanned && planned + each > left;
        if (!isFirst && !isBehind && !(IsPlanned && isEvaluated))
        {
            return null;
        }

        IsPlanned = true;
        FittedPlan fitted = Fitting(step, reserved, each + costs.Between, costs);
        bool isWorthIt = Math.Abs((long)fitted.Steps - steps) > WorthPlanning * (steps - step);
        return (isBehind ? fitted.Steps < steps : isWorthIt) ? fitted : null;
    }

    private FittedPlan Fitting(long step, double left, double each, RunCosts costs)
    {
        double most = Math.Clamp(left / each, 1, mostSteps - step);
        left -= costs.LastEvaluation((long)(step + most));
        most = Math.Clamp(left / each, 1, mostSteps - step);
        double apart = evaluateEvery > 0 ? evaluateEvery : Math.Max((step + most) / EvaluationsPerRun, costs.Evaluation / (EvaluationShare * each));
        apart = Math.Clamp(Math.Round(apart), 1, int.MaxValue);
        double fitting = Math.Clamp(Math.Floor(left / (each + costs.Evaluation / apart)), 1, mostSteps - step);
        return new FittedPlan(step, (int)(step + fitting), (int)apart);
    }
}
