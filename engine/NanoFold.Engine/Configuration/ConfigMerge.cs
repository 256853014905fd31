using System.Globalization;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>Lays one tree of settings over another. A value that does not fit is copied as it is; <see cref="ConfigReader"/> reports it.</summary>
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
            Type? valueType = ConfigSchema.ValueOf(type) ?? ConfigSchema.Key(type, key)?.Type;
            target[key] = Merged(target[key], value, valueType);
        }
    }

    private static JsonNode? Merged(JsonNode? target, JsonNode? overlay, Type? type)
    {
        type = type is null ? null : ConfigSchema.OverlaidBy(type) ?? type;
        bool hasKinds = type is not null && ConfigSchema.Kinds(type).Count > 0;
        if (hasKinds && overlay is JsonValue)
        {
            return new JsonObject { [ConfigJson.Kind] = overlay.DeepClone() };
        }

        if (type is not null && ConfigJson.TextOf(overlay) is { } text && ConfigSchema.TextOf(type)?.Parse(text, out _) is { } written)
        {
            overlay = written;
        }

        if (overlay is JsonArray items && type is not null && ConfigSchema.ElementOf(type) is { } item)
        {
            return new JsonArray([.. items.Select(value => Merged(null, value, item))]);
        }

        if (overlay is not JsonObject changes || (hasKinds && changes.ContainsKey(ConfigJson.Kind)))
        {
            return overlay?.DeepClone();
        }

        if (target is JsonArray list && type is not null && ConfigSchema.ElementOf(type) is { } element && AreIndices(changes, list.Count))
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

    private static bool AreIndices(JsonObject changes, int count)
        => changes.All(change => int.TryParse(change.Key, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < count);
}
