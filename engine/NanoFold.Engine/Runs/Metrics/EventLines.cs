using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Runs.Metrics;

/// <summary>
/// Makes events of lines of a run's logs. A number <c>loss</c> becomes <c>train/loss</c>, <c>validationLoss</c> <c>validation/loss</c>; numbers in a list get their index,
/// <c>train/expertLoad/0/3</c>; a figure of <c>geometry.jsonl</c> becomes <c>MEASURE.FIGURE/POINT</c>, a sample a text. What only says how far the run is, and what is no number, is left out.
/// </summary>
/// <param name="record">Where events are made.</param>
internal sealed class EventLines(EventRecord record)
{
    private static readonly string[] s_places = ["step", "elapsedSeconds", "tokens", "flops", "expertLayer"];
    private static readonly (string Key, string Group)[] s_groups = [("fullValidation", "fullValidation/"), ("validation", "validation/")];

    // Tags are few and come again at each step.
    private readonly Dictionary<string, byte[]> _tags = [];

    /// <summary>Makes the event of a line; false where it has nothing to show.</summary>
    /// <param name="line">A JSON object.</param>
    /// <param name="seconds">Since 1970.</param>
    public bool Read(ReadOnlySpan<byte> line, double seconds)
    {
        var reader = new Utf8JsonReader(line);
        using JsonDocument json = JsonDocument.ParseValue(ref reader);
        JsonElement root = json.RootElement;
        if (!root.TryGetProperty("step", out JsonElement step))
        {
            return false;
        }

        record.Begin(seconds, step.GetInt64());
        if (root.TryGetProperty("figures", out JsonElement figures))
        {
            AddFigures(root, figures);
        }
        else if (root.TryGetProperty("text", out JsonElement text))
        {
            record.AddText("sample"u8, root.GetProperty("prompt").GetString() + text.GetString());
        }
        else
        {
            foreach (JsonProperty member in root.EnumerateObject().Where(member => !s_places.Contains(member.Name)))
            {
                Add(TagOf(member.Name), member.Value);
            }
        }

        return record.HasValues;
    }

    private static string TagOf(string key)
    {
        foreach ((string before, string group) in s_groups)
        {
            if (key.Length > before.Length && key.StartsWith(before, StringComparison.Ordinal))
            {
                return group + char.ToLowerInvariant(key[before.Length]) + key[(before.Length + 1)..];
            }
        }

        return $"train/{key}";
    }

    private void AddFigures(JsonElement root, JsonElement figures)
    {
        string place = string.Concat(new[] { "point", "other" }.Select(key => root.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? $"/{value.GetString()}" : ""));
        string within = string.Concat(new[] { "head", "stream" }.Select(key => root.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? $"/{key}{value.GetRawText()}" : ""));
        foreach (JsonProperty figure in figures.EnumerateObject())
        {
            if (figure.Value.ValueKind == JsonValueKind.Object && figure.Value.TryGetProperty("value", out JsonElement value))
            {
                Add($"{root.GetProperty("measure").GetString()}.{figure.Name}{place}{within}", value);
            }
        }
    }

    private void Add(string tag, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Number:
                record.AddScalar(Utf8(tag), value.GetDouble());
                    break;
            case JsonValueKind.Null:
                // What is not finite is null in JSON.
                record.AddScalar(Utf8(tag), double.NaN);
                    break;
            case JsonValueKind.Array:
                int index = 0;
                foreach (JsonElement item in value.EnumerateArray())
                {
                    Add($"{tag}/{index++}", item);
                }

                break;
            default:
                break;
        }
    }

    private byte[] Utf8(string tag) => _tags.TryGetValue(tag, out byte[]? bytes) ? bytes : _tags[tag] = Encoding.UTF8.GetBytes(tag);
}
