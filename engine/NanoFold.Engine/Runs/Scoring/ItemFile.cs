using System.Text.Json;
using NanoFold.Engine.Runs.Scoring.Formats;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>What a question asks.</summary>
public enum ItemKind
{
    /// <summary>Which of some continuations follows.</summary>
    Choice,

    /// <summary>A last word.</summary>
    LastWord,

    /// <summary>All of a document.</summary>
    Page,
}

/// <summary>A question.</summary>
/// <param name="Place">File and line, for messages.</param>
/// <param name="Context">What stands before; of a page, the page.</param>
/// <param name="Choices">What may follow, without the space before; of a last word that one, of a page nothing.</param>
/// <param name="Gold">The right choice.</param>
public sealed record ScoredItem(string Place, string Context, IReadOnlyList<string> Choices, int Gold);

/// <summary>A file of questions, in one of the published layouts.</summary>
/// <param name="Path">The file.</param>
/// <param name="Format">The layout: <c>hellaswag</c>, <c>arc</c>, <c>piqa</c>, <c>choices</c>, <c>lambada</c>, <c>pages</c>.</param>
/// <param name="Kind">What is asked.</param>
/// <param name="Items">In order.</param>
public sealed record ItemFile(string Path, string Format, ItemKind Kind, IReadOnlyList<ScoredItem> Items)
{
    /// <summary>Reads it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">How many of its questions, from the first; null for all.</param>
    /// <exception cref="UserException">It cannot be read, is of no layout that is known, or has a question without an answer; names file and line.</exception>
    public static ItemFile Read(string path, int? limit = null)
    {
        if (Directory.Exists(path))
        {
            throw new UserException($"{path}: is a folder; name a file of JSON lines");
        }

        string[] lines = FileFault.ReadLines(path);
        var labels = new Lazy<string[]>(() => LabelsBeside(path));
        ItemFormat? format = null;
        List<ScoredItem> items = [];
        for (int i = 0; i < lines.Length && items.Count < (limit ?? int.MaxValue); i++)
        {
            if (string.IsNullOrWhiteSpace(lines[i]))
            {
                continue;
            }

            string place = $"{path}, line {i + 1}";
            int index = items.Count;
            using JsonDocument json = Parse(lines[i], place);
            var fields = new ItemFields(json.RootElement, place, () => index < labels.Value.Length ? labels.Value[index].Trim() : null);
            format ??= ItemFormat.All.FirstOrDefault(known => known.Matches(fields))
                ?? throw new UserException($"{place}: is of no layout that is known; expected the members {string.Join("; or ", ItemFormat.All.Select(known => known.Members))}");
            items.Add(format.Read(fields));
        }

        return format is null ? throw new UserException($"{path}: has no lines") : new ItemFile(path, format.Name, format.Kind, items);
    }

    private static JsonDocument Parse(string line, string place)
    {
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(line);
        }
        catch (JsonException e)
        {
            throw new UserException($"{place}: is no JSON: {e.Message}", e);
        }

        if (json.RootElement.ValueKind != JsonValueKind.Object)
        {
            json.Dispose();
            throw new UserException($"{place}: is no JSON object");
        }

        return json;
    }

    private static string[] LabelsBeside(string path)
    {
        string beside = System.IO.Path.ChangeExtension(path, null) + "-labels.lst";
        return File.Exists(beside) ? FileFault.ReadLines(beside) : [];
    }
}
