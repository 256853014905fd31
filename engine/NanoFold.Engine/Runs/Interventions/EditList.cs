using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Taps;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>Edits as they are written on a command line or in a file: a record, a list of them, or @ and the name of a file with one of the two.</summary>
public sealed record EditList
{
    private const string Option = "--edit";

    /// <summary>The edits, in their order.</summary>
    public IReadOnlyList<EditConfig> Edits { get; init; } = [];

    /// <summary>Reads what was given, each with one or more edits.</summary>
    /// <exception cref="UserException">A file cannot be read, or a text is no JSON.</exception>
    /// <exception cref="ConfigException">There are problems; each is told with its number among all edits.</exception>
    public static IReadOnlyList<EditConfig> Read(IEnumerable<string> given)
    {
        var all = new JsonArray();
        foreach (string text in given)
        {
            JsonNode? node = Parse(text.StartsWith('@') ? TextOf(text[1..]) : text, text);
            foreach (JsonNode? edit in node as JsonArray ?? [node])
            {
                all.Add(edit?.DeepClone());
            }
        }

        var problems = new List<ConfigProblem>();
        var read = (EditList)new ConfigReader(typeof(EditList), problems).Read(new JsonObject { ["edits"] = all }, new EditList());
        ConfigProblem[] found = problems.Count > 0 ? [.. problems] : [.. read.Edits.SelectMany((edit, i) => edit.Validate($"edits.{i}"))];
        return found.Length == 0
            ? read.Edits
            : throw new ConfigException([.. found.Select(problem => problem with { Path = $"{Option}{problem.Path["edits".Length..]}" })]);
    }

    /// <summary>The edits with all their settings.</summary>
    public static JsonArray ToJson(IReadOnlyList<EditConfig> edits) => [.. edits.Select(edit => ConfigWriter.ToTree(edit, typeof(EditConfig)))];

    private static JsonNode? Parse(string json, string given)
    {
        try
        {
            return ConfigJson.Parse(json);
        }
        catch (JsonException e)
        {
            throw UserException.Usage($"{Option} {given}: is no JSON ({e.Message}); write it as {{\"kind\":\"ablate\",\"points\":\"blocks.0.hook_mlp_out\"}}");
        }
    }

    private static string TextOf(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserException($"{Option} @{path}: cannot be read: {e.Message}", e);
        }
    }
}
