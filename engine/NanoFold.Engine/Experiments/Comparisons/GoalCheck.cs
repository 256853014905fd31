using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>Whether <c>train.until</c> asks for a score that there is, known before anything is read or allocated.</summary>
internal static class GoalCheck
{
    // Of text; a sketch of it has no bytes.
    private static readonly string[] s_ofText = ["loss", "bitsPerByte"];

    /// <summary>What is wrong with it, in a line; null where it can be reached, or there is none.</summary>
    /// <param name="config">Resolved, its vocabulary known.</param>
    public static string? Problem(RunConfig config)
    {
        if (config.Train.Goal is not { } goal)
        {
            return null;
        }

        string[] scores = Scores(config);
        return scores.Length == 0 ? $"{goal} is never reached, for nothing is held back to evaluate on"
            : !scores.Contains(goal.Score) ? $"task \"{config.Task.Kind}\" does not score {goal.Score}; it scores {string.Join(", ", scores)}"
            : null;
    }

    private static string[] Scores(RunConfig config)
    {
        if (config.Task.IsText)
        {
            return s_ofText;
        }

        using LearningTask task = TrainData.Sketch(config);
        if (task.Places(TaskSplit.Validation) == 0)
        {
            return [];
        }

        // Nothing is computed: which scores there are is in what the task records.
        using var backend = new NullBackend();
        using var model = new Transformer(config.Model, backend);
        using var evaluator = new Evaluator(model, task, new BatchShape(1, config.Model.Context));
        return [.. evaluator.ScoreNames()];
    }
}
