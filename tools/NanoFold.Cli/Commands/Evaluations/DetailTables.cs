using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;

namespace NanoFold.Cli.Commands.Evaluations;

/// <summary>A detailed evaluation as tables, one for each axis and one for longer rows.</summary>
internal static class DetailTables
{
    /// <summary>Writes the tables; returns the JSON of evaluation.json.</summary>
    public static JsonNode Show(Output output, DetailedEvaluation found)
    {
        foreach (ScoreBreakdown breakdown in found.Breakdowns)
        {
            output.Line();
            output.Line($"by {Display.Words(breakdown.Axis)}{(breakdown.Meaning == breakdown.Axis ? "" : $": {breakdown.Meaning}")}");
            output.Table(numbers: true, [Header(breakdown), .. breakdown.Bins.Select(bin => Row(bin, breakdown))]);
        }

        output.Line();
        output.Line(found.BitsPerByte is not null ? "on longer rows, of the same places" : "on longer rows, made up for their length");
        output.Table(numbers: true, LongerRows(found));
        foreach (ContextEvaluation context in found.Contexts.Where(context => context.WhyNot is not null))
        {
            output.Line($"{Display.Count(context.Context)} places: {context.WhyNot}");
        }

        if (found.Rows < found.AllRows)
        {
            output.Line($"on {Display.Count(found.Rows)} of {Display.Count(found.AllRows)} rows, evenly spaced");
        }

        return JsonNode.Parse(Encoding.UTF8.GetString(RecordFile.ToBytes(found)))!;
    }

    /// <summary>The losses and scores of each length of rows: a row for each score that any of them has.</summary>
    internal static string[][] LongerRows(DetailedEvaluation found)
    {
        ContextEvaluation[] read = [.. found.Contexts.Where(context => context.WhyNot is null)];
        string[] names = [.. read.SelectMany(context => context.Scores).Select(score => score.Name).Distinct()];
        return
        [
            ["places", .. read.Select(context => $"{Display.Count(context.Context)} ({context.Factor}×)")],
            ["loss", .. read.Select(context => Display.Figure(context.Loss ?? double.NaN))],
            .. names.Select(name => (string[])
                [name, .. read.Select(context => context.Scores.Where(score => score.Name == name).Select(score => Display.Figure(score.Value)).FirstOrDefault(""))]),
        ];
    }

    /// <summary>Keeps it in the folder of the run whose own text or task was evaluated, unless there is one of other rows or another step; a checkpoint by itself keeps none.</summary>
    /// <param name="output">Told where it is, or why not.</param>
    /// <param name="path">What <c>--model</c> named.</param>
    /// <param name="found">The evaluation.</param>
    /// <param name="isOwn">Whether it is of what the run holds back.</param>
    public static void Keep(Output output, string path, DetailedEvaluation found, bool isOwn)
    {
        if (!isOwn || !File.Exists(Path.Combine(path, RunFolder.MetricsFile)))
        {
            return;
        }

        string file = Path.Combine(path, DetailedEvaluation.FileName);
        if (Before(path) is { } before && Of(before) != Of(found))
        {
            // Those of a set are of the same rows, so that they can be averaged.
            output.Note($"not kept: {file} is of {Display.Count(before.Rows)} rows after {Display.Count(before.Step)} steps, this of {Display.Count(found.Rows)} after {Display.Count(found.Step)}; move it away to keep this one");
            return;
        }

        try
        {
            RecordFile.Write(file, found);
            output.Note($"written to {file}");
        }
        catch (UserException e)
        {
            output.Note($"not kept: {e.Message}");
        }
    }

    // One that cannot be read is replaced.
    private static DetailedEvaluation? Before(string folder)
    {
        try
        {
            return DetailedEvaluation.Find(folder);
        }
        catch (UserException)
        {
            return null;
        }
    }

    private static (long Step, int Context, long Rows, long Targets) Of(DetailedEvaluation found) => (found.Step, found.Context, found.Rows, found.Targets);

    private static string[] Header(ScoreBreakdown breakdown) =>
    [
        Display.Words(breakdown.Axis), "targets", "loss",
        .. IsText(breakdown) ? ["bits/byte"] : Array.Empty<string>(),
        .. HasAccuracy(breakdown) ? [Evaluation.Accuracy] : Array.Empty<string>(),
    ];

    private static bool IsText(ScoreBreakdown breakdown) => breakdown.Bins.Any(bin => bin.BitsPerByte is not null);

    private static bool HasAccuracy(ScoreBreakdown breakdown) => breakdown.Bins.Any(bin => bin.Accuracy is not null);

    private static string[] Row(ScoreBin bin, ScoreBreakdown breakdown) =>
    [
        Display.Range(bin.From, bin.To), Display.Count(bin.Targets), Display.Figure(bin.Loss),
        .. IsText(breakdown) ? [bin.BitsPerByte is { } bits ? Display.Figure(bits) : ""] : Array.Empty<string>(),
        .. HasAccuracy(breakdown) ? [bin.Accuracy is { } accuracy ? Display.Figure(accuracy) : ""] : Array.Empty<string>(),
    ];
}
