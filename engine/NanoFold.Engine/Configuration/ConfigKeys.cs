using System.Text.Json.Serialization.Metadata;

namespace NanoFold.Engine.Configuration;

/// <summary>All keys there are, to say what an unknown one may have meant.</summary>
internal static class ConfigKeys
{
    /// <summary>What to say of a key that <paramref name="type"/> does not have.</summary>
    /// <param name="parent">The path of the record, empty at the top.</param>
    /// <param name="key">The unknown key.</param>
    /// <param name="type">The record's type.</param>
    /// <param name="variants">The abstract type of which the record is one kind, or null.</param>
    public static string Unknown(string parent, string key, Type type, Type? variants)
    {
        string[] here = [.. ConfigJson.Properties(type).Select(property => property.Name)];
        if (variants is not null && OtherKinds(variants, key) is { } others)
        {
            return $"is not a key of kind \"{KindOf(variants, type)}\", but of {others}";
        }

        if (NearestName.Among(key, here) is { } near)
        {
            return $"unknown key; did you mean {Join(parent, near)}?";
        }

        if (Elsewhere(key) is { } path)
        {
            return $"unknown key; did you mean {path}?";
        }

        return here.Length == 0
            ? variants is null ? "unknown key" : $"unknown key; kind \"{KindOf(variants, type)}\" has no settings"
            : $"unknown key; known here: {string.Join(", ", here)}";
    }

    /// <summary>The type that the key at a dotted path has in any kind, or null.</summary>
    public static Type? TypeAt(ReadOnlySpan<string> path)
    {
        Type? type = typeof(RunConfig);
        foreach (string key in path)
        {
            type = type is null ? null : ConfigJson.ElementOf(type) ?? Properties(type).FirstOrDefault(property => property.Name == key)?.PropertyType;
        }

        return type;
    }

    public static string Join(string parent, string key) => parent.Length == 0 ? key : $"{parent}.{key}";

    private static IEnumerable<JsonPropertyInfo> Properties(Type type)
        => ConfigJson.Kinds(type) is { } kinds
            ? kinds.SelectMany(kind => ConfigJson.Properties(kind.DerivedType))
            : ConfigJson.Properties(type);

    private static string? OtherKinds(Type variants, string key)
    {
        string[] kinds = [.. ConfigJson.Kinds(variants)!
            .Where(kind => ConfigJson.Property(kind.DerivedType, key) is not null)
            .Select(kind => $"\"{ConfigJson.KindOf(kind)}\"")];
        return kinds.Length == 0 ? null : string.Join(", ", kinds);
    }

    private static string KindOf(Type variants, Type type)
        => ConfigJson.KindOf(ConfigJson.Kinds(variants)!.First(kind => kind.DerivedType == type));

    // A key of that very name in another section, then one of nearly that name.
    private static string? Elsewhere(string key)
    {
        (string Section, string Key)[] all = [.. ConfigJson.Properties(typeof(RunConfig)).SelectMany(
            section => Properties(section.PropertyType).Select(property => (section.Name, property.Name)))];
        string? wanted = NearestName.Among(key, all.Where(k => string.Equals(k.Key, key, StringComparison.OrdinalIgnoreCase)).Select(k => k.Key))
            ?? NearestName.Among(key, all.Select(k => k.Key));
        return wanted is null ? null : Join(all.First(k => k.Key == wanted).Section, wanted);
    }
}
