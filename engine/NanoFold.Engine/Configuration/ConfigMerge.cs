using System.Globalization;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>Lays one tree of settings over another. What does not fit is taken over as it is: <see cref="ConfigCheck"/> names it.</summary>
internal static class ConfigMerge
{
    /// <summary>
    /// Keys of <paramref name="overlay"/> replace those of <paramref name="target"/>, records are merged, lists replaced. Naming a kind
    /// resets its record.
    /// </summary>
    public static void Apply(JsonObject target, JsonObject overlay, Type type)
    {
        foreach ((string key, JsonNode? value) in overlay)
        {
            Type? valueType = ConfigJson.Property(TypeOf(target, type), key)?.PropertyType;
            target[key] = Merged(target[key], value, valueType);
        }
    }

    private static JsonNode? Merged(JsonNode? target, JsonNode? overlay, Type? type)
    {
        bool hasKinds = type is not null && ConfigJson.Kinds(type) is not null;
        if (hasKinds && overlay is JsonValue)
        {
            return new JsonObject { [ConfigJson.Kind] = overlay.DeepClone() };
        }

        if (overlay is JsonArray items && type is not null && ConfigJson.ElementOf(type) is { } item)
        {
            return new JsonArray([.. items.Select(value => Merged(null, value, item))]);
        }

        if (overlay is not JsonObject changes || (hasKinds && changes.ContainsKey(ConfigJson.Kind)))
        {
            return overlay?.DeepClone();
        }

        if (target is JsonArray list && type is not null && ConfigJson.ElementOf(type) is { } element && AreIndices(changes, list.Count))
        {
            var copy = (JsonArray)list.DeepClone();
            foreach ((string key, JsonNode? value) in changes)
            {
                int index = int.Parse(key, CultureInfo.InvariantCulture);
                copy[index] = Merged(copy[index], value, element);
            }

            return copy;
        }

        var merged = target is JsonObject existing ? (JsonObject)existing.DeepClone() : [];
        Apply(merged, changes, type ?? typeof(object));
        return merged;
    }

    // The record that an object of an abstract type stands for; the abstract type itself while its kind is unknown.
    private static Type TypeOf(JsonObject node, Type type)
    {
        foreach (var variant in ConfigJson.Kinds(type) ?? [])
        {
            if (node[ConfigJson.Kind] is JsonValue value && value.TryGetValue(out string? kind) && kind == ConfigJson.KindOf(variant))
            {
                return variant.DerivedType;
            }
        }

        return type;
    }

    private static bool AreIndices(JsonObject changes, int count)
        => changes.All(change => int.TryParse(change.Key, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < count);
}
