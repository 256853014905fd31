using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;

namespace NanoFold.Cli.Commands.Evaluations;

/// <summary>The scores of a model on what a task holds back, beside the best possible ones and those of guessing.</summary>
internal static class TaskEvaluation
{
    /// <summary>Evaluates, and writes the scores.</summary>
    /// <param name="invocation">What was asked for.</param>
    /// <param name="trained">The model before its task.</param>
    /// <param name="path">What <c>--model</c> named, where the task is that of the run as it was trained; null of another.</param>
    /// <param name="detail">Whether the scores are told apart, too.</param>
    /// <param name="ofText">An option that was given and is of texts; null for none.</param>
    public static int Run(Invocation invocation, TrainedModel trained, string? path, bool detail, string? ofText)
    {
        string task = trained.Config.Task.Kind;
        if (ofText is not null)
        {
            throw UserException.Usage($"{ofText}: the run was trained on task {task}, which has no text; leave it out to evaluate on what the task holds back");
        }

        Output output = invocation.Output;
        Evaluation result = trained.Evaluate(output.Note, invocation.Interrupt.Token);
        (IReadOnlyList<Score> best, IReadOnlyList<Score> guessing) = Limits(trained, invocation);
        output.Line($"{task}: {Display.Count(result.Tokens, "place")}{(trained.Step > 0 ? $", weights after {Display.Count(trained.Step, "step")}" : "")}");
        output.Table(
            numbers: true,
            [
                ["", "model", .. best.Count > 0 ? ["best possible"] : Array.Empty<string>(), .. guessing.Count > 0 ? ["guessing"] : Array.Empty<string>()],
                .. result.Figures.Select(score => (string[])
                    [score.Name, Display.Figure(score.Value), .. best.Count > 0 ? [Named(best, score.Name)] : Array.Empty<string>(), .. guessing.Count > 0 ? [Named(guessing, score.Name)] : Array.Empty<string>()]),
            ]);
        var json = new JsonObject { ["task"] = task };
        foreach (Score score in result.Figures)
        {
            json[score.Name] = score.Value;
        }

        json["tokens"] = result.Tokens;
        json["part"] = "validation";
        json["best"] = new JsonObject(best.Select(score => KeyValuePair.Create(score.Name, (JsonNode?)score.Value)));
        json["guessing"] = new JsonObject(guessing.Select(score => KeyValuePair.Create(score.Name, (JsonNode?)score.Value)));
        if (detail)
        {
            DetailedEvaluation found = trained.EvaluateInDetail(output.Note, invocation.Interrupt.Token);
            json["detail"] = DetailTables.Show(output, found);
            if (path is not null)
            {
                DetailTables.Keep(output, path, found, isOwn: true);
            }
        }

        output.Result(json);
        return Faults.Done;
    }

    private static (IReadOnlyList<Score> Best, IReadOnlyList<Score> Guessing) Limits(TrainedModel trained, Invocation invocation)
    {
        using LearningTask task = trained.OpenTask(invocation.Output.Note, invocation.Interrupt.Token);
        return (task.Best(), task.Guessing());
    }

    private static string Named(IReadOnlyList<Score> scores, string name)
        => scores.FirstOrDefault(score => score.Name == name) is { Name: not null } found ? Display.Figure(found.Value) : "";
}
