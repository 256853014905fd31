using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Runs;

/// <summary>
/// How a run ended: <c>result.json</c> in its folder, one JSON object. It is there once a start of the run has come to an end, and taken away while the run goes on.
/// </summary>
/// <param name="json">The object, its keys in camel case: what <c>train --json</c> gives, and what <see cref="RunFigures"/> adds.</param>
public sealed class RunResult(JsonObject json)
{
    /// <summary>The file's name inside a run folder.</summary>
    public const string FileName = "result.json";

    internal const string EndKey = "end", ProblemKey = "problem", StepsKey = "steps";

    private static readonly JsonSerializerOptions s_format = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>All of it.</summary>
    public JsonObject Json { get; } = JsonNode.Parse(FiniteJson.Clean(json)!.ToJsonString())!.AsObject();

    /// <summary>Why the run ended; null where the file has a word that this version does not know.</summary>
    public TrainEnd? End { get; } = Enum.GetValues<TrainEnd>().Cast<TrainEnd?>().FirstOrDefault(end => Word(end!.Value) == Text(json, EndKey));

    /// <summary>Whether there is nothing more to do: the run came to its end, or can come to none.</summary>
    public bool IsOver => End is not (null or TrainEnd.Interrupted or TrainEnd.StoppedAfter or TrainEnd.Failed);

    /// <summary>Whether the run came to its end, so that its figures count.</summary>
    public bool IsDone => IsOver && End is not TrainEnd.Diverged;

    /// <summary>What went wrong, in a line; null where nothing did.</summary>
    public string? Problem => Text(Json, ProblemKey);

    /// <summary>Steps taken.</summary>
    public long Steps => (long)(Figure(StepsKey) ?? 0);

    /// <summary>A figure by its key, such as <c>validationLoss</c>; null where there is none, or it is not finite.</summary>
    public double? Figure(string key)
        => Json[key] is JsonValue value && value.GetValueKind() == JsonValueKind.Number ? value.GetValue<JsonElement>().GetDouble() : null;

    /// <summary>Of all that is held back where the run's end had time for it, otherwise of the windows of every evaluation: <c>loss</c>, <c>accuracy</c>.</summary>
    /// <param name="score">In camel case.</param>
    public double? Score(string score)
    {
        string name = $"{char.ToUpperInvariant(score[0])}{score[1..]}";
        return Figure($"fullValidation{name}") ?? Figure($"validation{name}");
    }

    /// <summary>As it stands in files: <c>finished</c>, <c>stopped-after</c>.</summary>
    public static string Word(TrainEnd end) => JsonNamingPolicy.KebabCaseLower.ConvertName(end.ToString());

    /// <summary>Of a run whose process ended before it did.</summary>
    /// <param name="problem">What is known of it, in a line.</param>
    /// <param name="output">The last lines that the process wrote, or null.</param>
    public static RunResult Failed(string problem, IReadOnlyList<string>? output = null) => new(new JsonObject
    {
        [EndKey] = Word(TrainEnd.Failed),
        [ProblemKey] = problem,
        ["output"] = output is null ? null : new JsonArray([.. output.Select(line => (JsonNode)line)]),
    });

    /// <summary>The result in a run's folder, or null where there is none, as of a run that goes on, or none that can be read.</summary>
    public static RunResult? Find(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            return File.Exists(path) && JsonNode.Parse(File.ReadAllText(path)) is JsonObject json ? new RunResult(json) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException || FileFault.Is(e))
        {
            return null;
        }
    }

    /// <summary>Writes it into a run's folder, as a whole or not at all.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public void Write(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            PlainFile.RequireNoLink(path);
            OutputFile.Replace(path, path + PlainFile.New, file =>
            {
                JsonSerializer.Serialize(file, Json, s_format);
                file.Write("\n"u8);
            });
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", path, e);
        }
    }

    private static string? Text(JsonObject json, string key)
        => json[key] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;
}
