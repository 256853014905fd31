using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>How configurations look as JSON text.</summary>
internal static class ConfigJson
{
    /// <summary>The key that names a variant.</summary>
    public const string Kind = "kind";

    private const int LargestFileBytes = 1 << 20;

    private static readonly JsonDocumentOptions s_reading = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        AllowDuplicateProperties = false,
    };

    private static readonly JsonSerializerOptions s_file = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    private static readonly JsonSerializerOptions s_line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonNode? Parse(string json) => JsonNode.Parse(json, null, s_reading);

    /// <summary>The text of a file. Bounded by what is read, not by the length that the file claims: devices and pipes have none.</summary>
    /// <exception cref="UserException">It cannot be read, or is too long.</exception>
    public static string Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            var bytes = new byte[LargestFileBytes + 1];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > LargestFileBytes)
            {
                throw new UserException($"{path}: is longer than the {LargestFileBytes} bytes that a configuration may have");
            }

            using var reader = new StreamReader(new MemoryStream(bytes, 0, length));
            return reader.ReadToEnd();
        }
        catch (Exception e) when (FileFault.Is(e) || e is ArgumentException)
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }

    /// <summary>What is wrong with a text, without the position, which the message counts from 0.</summary>
    public static string Reason(JsonException e)
    {
        int end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? e.Message : e.Message[..end];
    }

    public static string ToText(JsonNode tree) => tree.ToJsonString(s_file) + "\n";

    /// <summary>A value as it is shown in a message, cut where it is long.</summary>
    public static string Show(JsonNode? value)
    {
        string text = value is null ? "null" : value.ToJsonString(s_line);
        return text.Length <= 60 ? text : text[..57] + "...";
    }

    /// <summary>The text of a JSON string, or null for anything else.</summary>
    public static string? TextOf(JsonNode? node)
        => node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;
}
