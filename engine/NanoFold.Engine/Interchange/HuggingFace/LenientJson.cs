using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Interchange.HuggingFace;

/// <summary>JSON as Python writes it: the words <c>Infinity</c>, <c>-Infinity</c> and <c>NaN</c> stand for numbers, and become texts here.</summary>
internal static class LenientJson
{
    private const long LargestFile = 64L << 20;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 64, CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private static readonly string[] s_words = ["-Infinity", "Infinity", "NaN"];

    /// <summary>The object in a file.</summary>
    /// <exception cref="UserException">The file cannot be read, or is no JSON object.</exception>
    public static JsonObject Load(string path)
    {
        try
        {
            var file = new FileInfo(path);
            if (file.Length > LargestFile)
            {
                throw new UserException($"{path}: {file.Length} bytes are too many for a configuration ({LargestFile} at most)");
            }

            return Parse(File.ReadAllBytes(path)) as JsonObject ?? throw new UserException($"{path}: is not a JSON object");
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new UserException($"{path}: is not valid JSON: {Shorten(e.Message)}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    /// <summary>A tree of a text; a key that stands in an object twice is an error.</summary>
    public static JsonNode? Parse(byte[] utf8)
    {
        string text = Quoted(Encoding.UTF8.GetString(utf8));
        JsonNode? tree = JsonNode.Parse(text, null, s_options with { AllowDuplicateProperties = false });
        return tree;
    }

    // The words get quotes where they stand outside of texts.
    private static string Quoted(string text)
    {
        if (!s_words.Any(word => text.Contains(word, StringComparison.Ordinal)))
        {
            return text;
        }

        var result = new StringBuilder(text.Length + 16);
        bool inText = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (inText && text[i] == '\\' && i + 1 < text.Length)
            {
                result.Append(text[i++]);
            }
            else if (text[i] == '"')
            {
                inText = !inText;
            }
            else if (!inText && Array.Find(s_words, word => string.CompareOrdinal(text, i, word, 0, word.Length) == 0) is { } found)
            {
                result.Append('"').Append(found).Append('"');
                i += found.Length - 1;
                continue;
            }

            result.Append(text[i]);
        }

        return result.ToString();
    }

    private static string Shorten(string message) => message.Length <= 200 ? message : string.Concat(message.AsSpan(0, 200), "…");
}
