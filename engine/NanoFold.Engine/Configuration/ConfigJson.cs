using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>How configurations look as JSON text.</summary>
internal static class ConfigJson
{
    /// <summary>The key that names a variant.</summary>
    public const string Kind = "kind";

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
