using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>Fields of a <c>tokenizer.json</c>; null and missing are the same. What is not of the kind that is asked for is an error that names the field.</summary>
internal sealed class JsonFields(string path)
{
    public static JsonElement? Part(JsonElement owner, string key) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>The kind of a stage; <c>none</c> where it says none.</summary>
    public static string TypeOf(JsonElement? stage) =>
        stage is { } given && Part(given, "type") is { ValueKind: JsonValueKind.String } type ? type.GetString()! : "none";

    /// <summary>The elements of a list; none where there is none.</summary>
    public IEnumerable<JsonElement> List(JsonElement owner, string key) => Part(owner, key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } list => list.EnumerateArray(),
        _ => throw Bad($"{key} is no array"),
    };

    /// <summary>The stages of one that may be a sequence.</summary>
    public IEnumerable<JsonElement> Flat(JsonElement? stage, string list) => stage is not { } given
        ? []
        : TypeOf(given) == "Sequence" ? List(given, list).SelectMany(part => Flat(part, list)) : [given];

    public string Text(JsonElement? value, string key) =>
        value is { ValueKind: JsonValueKind.String } given ? given.GetString()! : throw Bad($"{key} is not a string");

    public string Text(JsonElement owner, string key, string otherwise) => Part(owner, key) is { } value ? Text(value, key) : otherwise;

    public int Id(JsonElement? value, string key) =>
        value is { ValueKind: JsonValueKind.Number } given && given.TryGetInt32(out int id) && id >= 0
            ? id
            : throw Bad($"{key} has an id that is not a whole number from 0");

    public int Count(JsonElement owner, string key, int otherwise) => Part(owner, key) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt32(out int count) && count >= 0 => count,
        _ => throw Bad($"{key} is not a whole number from 0"),
    };

    public bool Flag(JsonElement owner, string key, bool otherwise) =>
        Part(owner, key) switch
        {
            null => otherwise,
            { ValueKind: JsonValueKind.True } => true,
            { ValueKind: JsonValueKind.False } => false,
            _ => throw Bad($"{key} is neither true nor false"),
        };

    public UserException Bad(string problem) => new($"{path}: {TokenizerJson.Shorten(problem)}");
}
