using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace NanoFold.Engine.Configuration;

/// <summary>How configurations look as JSON, and the metadata of their records.</summary>
internal static class ConfigJson
{
    /// <summary>The key that names a variant.</summary>
    public const string Kind = "kind";

    private static readonly JsonSerializerOptions s_compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false) },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        IgnoreReadOnlyProperties = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowOutOfOrderMetadataProperties = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    public static JsonDocumentOptions Reading { get; } = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        AllowDuplicateProperties = false,
    };

    public static JsonNode? Parse(string json) => JsonNode.Parse(json, null, Reading);

    public static JsonObject ToTree(RunConfig config) => JsonSerializer.SerializeToNode(config, Options)!.AsObject();

    /// <summary>The keys of a record and their types; none for types that are not records of the configuration.</summary>
    public static IEnumerable<JsonPropertyInfo> Properties(Type type)
        => type.Namespace?.StartsWith("NanoFold.", StringComparison.Ordinal) == true
            ? Options.GetTypeInfo(type).Properties.Where(property => property.Set is not null)
            : [];

    public static JsonPropertyInfo? Property(Type type, string key)
        => Properties(type).FirstOrDefault(property => property.Name == key);

    /// <summary>The variants of an abstract record, by kind; null for other types.</summary>
    public static IReadOnlyList<JsonDerivedType>? Kinds(Type type)
        => type.IsAbstract && type.IsDefined(typeof(JsonPolymorphicAttribute), false)
            ? [.. Options.GetTypeInfo(type).PolymorphismOptions!.DerivedTypes]
            : null;

    public static string KindOf(JsonDerivedType variant) => (string)variant.TypeDiscriminator!;

    /// <summary>The element type of a list, or null.</summary>
    public static Type? ElementOf(Type type)
        => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    /// <summary>How an enumeration's values are written.</summary>
    public static IReadOnlyList<string> Names(Type enumeration)
        => [.. Enum.GetValues(enumeration).Cast<object>().Select(value => JsonSerializer.SerializeToNode(value, enumeration, Options)!.GetValue<string>())];

    /// <summary>A value as it is shown in a message, cut where it is long.</summary>
    public static string Show(JsonNode? value)
    {
        string text = value is null ? "null" : value.ToJsonString(s_compact);
        return text.Length <= 60 ? text : text[..57] + "...";
    }
}
