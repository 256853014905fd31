using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>data task</c>: rows of a task as a model gets them, and what can be scored on it.</summary>
internal static class DataTaskCommand
{
    private const string Train = "train", Validation = "validation";

    public static void Build(VerbCommand command)
    {
        var name = new Argument<string?>("NAME") { Description = "The task; all are listed if not given", Arity = ArgumentArity.ZeroOrOne };
        command.Add(name);
        Option<long?> rows = command.Integer("--rows", "Rows to show; 1 if not given", 1, 1000);
        Option<string?> part = command.Text("--part", $"{Train}|{Validation}", $"Rows to train on, of the first step, or to validate with; {Train} if not given");
        var options = new TrainOptions(command, "--task", "--steps", "--minutes", "--batch", "--precision", "--out", "--resume");
        command.Common = [CommonOptions.Seed];
        command.JsonKeys = "task, settings, description [lines], context, vocab, unit (of the loss), best {loss, accuracy …}, guessing {…}, baselines [{name, scores {…}}], groupedBy, part, rows [{text [lines], fields {name: [numbers]}}]; without NAME: tasks [{name, meaning}]";
        command.Does(invocation => invocation.Get(name) is { } task
            ? Show(invocation, options.ConfigOf(task, invocation), SplitOf(invocation.Get(part)), (int)(invocation.Get(rows) ?? 1))
            : List(invocation));
    }

    private static TaskSplit SplitOf(string? part) => part switch
    {
        null or Train => TaskSplit.Training,
        Validation => TaskSplit.Validation,
        _ => throw UserException.Usage($"--part: expected {Train} or {Validation}, not '{part}'"),
    };

    private static int List(Invocation invocation)
    {
        (string Name, string Meaning)[] tasks = [.. Settings.Read().Keys.First(setting => setting.Key == "task").Choices];
        Output output = invocation.Output;
        output.Table(numbers: false, [.. tasks.Select(task => (string[])[task.Name, Beginning(task.Meaning)])]);
        output.Line();
        output.Line($"'{Program.Typed} data task NAME' shows one.");
        output.Result(new JsonObject
        {
            ["tasks"] = new JsonArray([.. tasks.Select(task => (JsonNode)new JsonObject { ["name"] = task.Name, ["meaning"] = task.Meaning })]),
        });
        return Faults.Done;
    }

    private static int Show(Invocation invocation, RunConfig config, TaskSplit split, int count)
    {
        Output output = invocation.Output;
        using LearningTask task = config.Task.Open(TrainData.ContextOf(config, output.Note, invocation.Interrupt.Token));
        BatchRows batch = TaskRows.First(config, task, split, count);
        output.Line($"{config.Task.Kind}: rows of {Display.Count(config.Model.Context)} places{(task.Vocab > 0 ? $", {Display.Count(task.Vocab)} symbols" : "")}; the loss is in {task.Unit.Name}");
        foreach (string line in task.Describe())
        {
            output.Line(line);
        }

        IReadOnlyList<Baseline> known = [new("best possible", task.Best()), new("guessing", task.Guessing()), .. task.Baselines()];
        ShowScores(output, [.. known.Where(baseline => baseline.Scores.Count > 0)]);
        var rows = new JsonArray();
        for (int row = 0; row < batch.Rows; row++)
        {
            IReadOnlyList<string> text = task.Show(batch.Row(row));
            output.Line();
            foreach (string line in text)
            {
                output.Line(line);
            }

            rows.Add(new JsonObject { ["text"] = Lines(text), ["fields"] = Fields(batch, row) });
        }

        output.Result(new JsonObject
        {
            ["task"] = config.Task.Kind,
            ["settings"] = JsonNode.Parse(config.ToJson())!["task"]!.DeepClone(),
            ["description"] = Lines(task.Describe()),
            ["context"] = config.Model.Context,
            ["vocab"] = task.Vocab,
            ["unit"] = task.Unit.Name,
            ["best"] = Scores(known[0].Scores),
            ["guessing"] = Scores(known[1].Scores),
            ["baselines"] = new JsonArray([.. known.Skip(2).Select(baseline => (JsonNode)new JsonObject { ["name"] = baseline.Name, ["scores"] = Scores(baseline.Scores) })]),
            ["groupedBy"] = task.GroupedBy,
            ["part"] = split == TaskSplit.Training ? Train : Validation,
            ["rows"] = rows,
        });
        return Faults.Done;
    }

    // A column a score, in the order in which they are first named.
    private static void ShowScores(Output output, IReadOnlyList<Baseline> known)
    {
        string[] names = [.. known.SelectMany(baseline => baseline.Scores).Select(score => score.Name).Distinct()];
        if (names.Length > 0)
        {
            output.Line();
            output.Table(numbers: true, [["on what is held back", .. names], .. known.Select(baseline => (string[])[baseline.Name, .. names.Select(name => Cell(baseline, name))])]);
        }
    }

    private static string Cell(Baseline baseline, string name)
        => baseline.Scores.FirstOrDefault(score => score.Name == name) is { Name: not null } found ? Display.Figure(found.Value) : "";

    // Up to the first colon or the end of the first sentence.
    private static string Beginning(string meaning)
    {
        int[] ends = [.. new[] { ": ", ". " }.Select(mark => meaning.IndexOf(mark, StringComparison.Ordinal)).Where(end => end > 0)];
        return ends.Length > 0 ? meaning[..ends.Min()] : meaning.TrimEnd('.');
    }

    private static JsonArray Lines(IEnumerable<string> lines) => new([.. lines.Select(line => JsonValue.Create(line))]);

    private static JsonObject Scores(IEnumerable<Score> scores) => new(scores.Select(score => KeyValuePair.Create(score.Name, (JsonNode?)score.Value)));

    private static JsonObject Fields(BatchRows batch, int row) => new(batch.Fields.Select(field => KeyValuePair.Create(
        field.Name, (JsonNode?)(field.Type == DType.Int32 ? Numbers<int>(batch.Row(row).Integers(field.Name)) : Numbers<float>(batch.Row(row).Reals(field.Name))))));

    private static JsonArray Numbers<T>(ReadOnlySpan<T> numbers)
    {
        var array = new JsonArray();
        foreach (T number in numbers)
        {
            array.Add(JsonValue.Create(number));
        }

        return array;
    }
}
