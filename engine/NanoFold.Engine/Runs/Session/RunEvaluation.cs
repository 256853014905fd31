using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>When a run evaluates on what: the windows of every evaluation, and at the end all of them.</summary>
/// <param name="evaluator">Null where there is nothing to validate with.</param>
/// <param name="config">Of the run.</param>
internal sealed class RunEvaluation(Evaluator? evaluator, RunConfig config)
{
    private readonly ScoreGoal? _goal = config.Train.Goal;
    private (long Step, double Shortfall) _last = (-1, double.NaN);

    /// <summary>Tokens of an evaluation on the way.</summary>
    public long Tokens => evaluator?.Tokens.Part ?? 0;

    /// <summary>Tokens of the evaluations at the end of a run of so many steps.</summary>
    public long LastTokens(long steps) => evaluator is null ? 0
        : evaluator.Tokens.Part + (evaluator.HasPart && TakesAll(steps) ? evaluator.Tokens.All : 0);

    /// <summary>What the evaluation after a step found on the windows of every evaluation to tell the best by (<see cref="Evaluation.Shortfall"/>); null where there was none.</summary>
    public double? ShortfallAt(long step) => _last.Step == step ? _last.Shortfall : null;

    /// <summary>
    /// Evaluates on <c>train.evaluationWindows</c> windows, the same every time, and at the end, or where <c>train.until</c> is reached, on all besides, where that is not long beside the steps. Null where there is nothing to
    /// validate with; a loss of NaN where one of the two is not finite.
    /// </summary>
    public (Evaluation Compared, Evaluation? Full)? Run(long step, bool isLast, CancellationToken cancel)
    {
        if (evaluator is null)
        {
            return null;
        }

        Evaluation compared = evaluator.Run(part: true, cancel);
        Evaluation? full = !isLast && _goal?.IsMetBy(compared) != true ? null : !evaluator.HasPart ? compared : TakesAll(step) ? evaluator.Run(cancel: cancel) : null;
        if (!double.IsFinite(compared.Loss + (full?.Loss ?? 0)))
        {
            return (compared with { Loss = double.NaN }, null);
        }

        _last = (step, compared.Shortfall);
        return (compared, full);
    }

    /// <summary>Throws where <c>train.until</c> asks for a score that there is not; looks at one batch.</summary>
    public void RequireGoal()
    {
        if (_goal is null)
        {
            return;
        }

        string[] scores = evaluator is null ? [] : [.. evaluator.ScoreNames()];
        if (!scores.Contains(_goal.Score))
        {
            throw UserException.Usage(evaluator is null
                ? $"train.until: {_goal} is never reached, for nothing is held back to evaluate on"
                : $"train.until: task \"{config.Task.Kind}\" does not score {_goal.Score}; it scores {string.Join(", ", scores)}");
        }
    }

    private bool TakesAll(long steps) => EvaluationShare.TakesAll(evaluator!.Windows, config.Train, config.Model.Context, steps);
}
