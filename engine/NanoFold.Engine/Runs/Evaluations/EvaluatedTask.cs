using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs.Evaluations;

/// <summary>What a trained model is set before: the task of its run, the same with other settings, or another one.</summary>
internal static class EvaluatedTask
{
    private const string Key = "task";

    /// <summary>Whether an assignment names the task or one of its settings.</summary>
    public static bool IsOfTask(string assignment) => assignment.Split('=')[0] is var key && (key == Key || key.StartsWith($"{Key}.", StringComparison.Ordinal));

    /// <summary>The configuration of a run with another task; the model, but for the length of its rows, is the trained one.</summary>
    /// <param name="trained">Resolved.</param>
    /// <param name="settings">As assignments.</param>
    /// <param name="context">Places of a row.</param>
    /// <exception cref="UserException">The model does not suit the task.</exception>
    public static RunConfig Of(RunConfig trained, IReadOnlyList<string> settings, int context)
    {
        RunConfig longer = LongerRows.Of(trained, context);
        // The task of the run stays as it was set; another kind begins with its usual settings.
        settings = [.. settings.Where(setting => setting != $"{Key}={trained.Task.Kind}")];
        if (settings.Count == 0)
        {
            return longer;
        }

        // The names of kinds come before what is set of them; all that is no task is checked with the run that it is of.
        ConfigTree tree = new ConfigTree().AddJson(new RunConfig { Task = trained.Task }.ToJson(), "the run's task");
        foreach (string setting in settings.OrderBy(setting => setting.Split('=')[0] != Key))
        {
            tree.Set(setting);
        }

        TaskConfig task = tree.Build().Task;
        if (trained.Task.IsText && (task is ConversationsConfig || (task is ConversationTaskConfig && task.Kind == trained.Task.Kind)))
        {
            return longer with { Task = task };
        }

        if (trained.Task.IsText)
        {
            throw UserException.Usage($"{settings[0]}: the run was trained on text; name another text with --data, or conversations with --task conversations --data FILE.jsonl");
        }

        if (task.IsText)
        {
            throw UserException.Usage($"{settings[0]}: the run was trained on task {trained.Task.Kind} and reads no text");
        }

        if (task.Validate(longer.Model, Key).FirstOrDefault() is { } problem)
        {
            // What could be left out of a configuration cannot be of a model.
            throw new UserException($"task {task.Kind} does not suit the model: {problem.Path}: {problem.Message.Split("; ")[0]}");
        }

        ModelConfig fitted = task.Fit(longer.Model);
        return (fitted.Inputs, fitted.Outputs) == (longer.Model.Inputs, longer.Model.Outputs)
            ? longer with { Task = task }
            : throw new UserException($"task {task.Kind} does not suit the model: it is of {(fitted.Inputs > 0 ? "features" : "tokens")}, and the model was trained on task {trained.Task.Kind}");
    }
}

/// <summary>A part of a text.</summary>
public enum TextPart
{
    /// <summary>What is trained on.</summary>
    Train,

    /// <summary>What is held back, or a text of its own.</summary>
    Validation,

    /// <summary>Everything.</summary>
    All,
}
