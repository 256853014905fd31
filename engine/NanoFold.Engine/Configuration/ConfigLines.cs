using System.Globalization;
using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Configuration;

/// <summary>Where in a text each key of a configuration stands, so that what is wrong with it can be found.</summary>
internal static class ConfigLines
{
    private static readonly JsonReaderOptions s_reading = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>The line, from 1, of every key and every element of a list, by dotted path.</summary>
    /// <param name="json">Text that was parsed before.</param>
    public static IReadOnlyDictionary<string, int> Of(string json)
    {
        var lines = new Dictionary<string, int>();
        foreach ((string key, int line) in Keys(json))
        {
            lines[key] = line;
        }

        return lines;
    }

    /// <summary>The first key that is in an object twice, with the line of its second place; null where there is none, or the text is no JSON.</summary>
    public static (string Key, int Line)? FirstTwice(string json)
    {
        try
        {
            var seen = new HashSet<string>();
            return Keys(json).Where(place => !seen.Add(place.Key)).Select(place => ((string, int)?)place).FirstOrDefault();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static List<(string Key, int Line)> Keys(string json)
    {
        byte[] text = Encoding.UTF8.GetBytes(json);
        var reader = new Utf8JsonReader(text, s_reading);
        var lines = new List<(string Key, int Line)>();
        // Of each object and list that is open: its path, and the index of the next element (−1 in objects).
        var open = new Stack<(string Path, int Next)>();
        string at = "";
        int line = 1, counted = 0;
        while (reader.Read())
        {
            int start = (int)reader.TokenStartIndex;
            line += text.AsSpan(counted, start - counted).Count((byte)'\n');
            counted = start;
            if (reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray)
            {
                open.Pop();
                continue;
            }

            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                at = ConfigKeys.Join(open.Peek().Path, reader.GetString()!);
                lines.Add((at, line));
                continue;
            }

            if (open.TryPeek(out (string Path, int Next) list) && list.Next >= 0)
            {
                open.Push(open.Pop() with { Next = list.Next + 1 });
                at = ConfigKeys.Join(list.Path, list.Next.ToString(CultureInfo.InvariantCulture));
                lines.Add((at, line));
            }

            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                open.Push((at, reader.TokenType == JsonTokenType.StartArray ? 0 : -1));
            }
        }

        return lines;
    }
}
