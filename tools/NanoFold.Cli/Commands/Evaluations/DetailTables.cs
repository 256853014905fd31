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
            output.Line($"by {Words(breakdown.Axis)}{(breakdown.Meaning == breakdown.Axis ? "" : $": {breakdown.Meaning}")}");
            output.Table(numbers: true, [Header(breakdown), .. breakdown.Bins.Select(bin => Row(bin, breakdown))]);
        }

        output.Line();
        output.Line("on longer rows");
        output.Table(numbers: true, [["places", "loss", .. found.Scores.Select(score => score.Name)], .. found.Contexts.Where(context => context.WhyNot is null).Select(Row)]);
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

    /// <summary>Keeps it in the folder of the run whose own text or task was evaluated; a checkpoint by itself keeps none.</summary>
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

    // documentPart: document part.
    private static string Words(string name) => string.Concat(name.Select(c => char.IsUpper(c) ? $" {char.ToLowerInvariant(c)}" : c.ToString()));

    private static string[] Header(ScoreBreakdown breakdown) =>
    [
        Words(breakdown.Axis), "targets", "loss",
        .. IsText(breakdown) ? ["bits/byte"] : Array.Empty<string>(),
        .. HasAccuracy(breakdown) ? [Evaluation.Accuracy] : Array.Empty<string>(),
    ];

    private static bool IsText(ScoreBreakdown breakdown) => breakdown.Bins.Any(bin => bin.BitsPerByte is not null);

    private static bool HasAccuracy(ScoreBreakdown breakdown) => breakdown.Bins.Any(bin => bin.Accuracy is not null);

    private static string[] Row(ScoreBin bin, ScoreBreakdown breakdown) =>
    [
        bin.From == bin.To ? Display.Count(bin.From) : $"{Display.Count(bin.From)}–{Display.Count(bin.To)}", Display.Count(bin.Targets), Figure(bin.Loss),
        .. IsText(breakdown) ? [bin.BitsPerByte is { } bits ? Figure(bits) : ""] : Array.Empty<string>(),
        .. HasAccuracy(breakdown) ? [bin.Accuracy is { } accuracy ? Figure(accuracy) : ""] : Array.Empty<string>(),
    ];

    private static string[] Row(ContextEvaluation context)
        => [$"{Display.Count(context.Context)} ({context.Factor}×)", Figure(context.Loss ?? double.NaN), .. context.Scores.Select(score => Figure(score.Value))];

    private static string Figure(double value) => Display.Number(value, "0.0000");
}
