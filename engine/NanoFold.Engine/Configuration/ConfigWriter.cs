using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>Turns configuration records into trees, every key written out.</summary>
internal static class ConfigWriter
{
    /// <param name="value">A record, list, number, text, choice or null.</param>
    /// <param name="type">Its declared type, which decides whether a kind is written.</param>
    public static JsonNode? ToTree(object? value, Type type) => value switch
    {
        null => null,
        string text => JsonValue.Create(text),
        bool flag => JsonValue.Create(flag),
        int number => JsonValue.Create(number),
        long number => JsonValue.Create(number),
        // What is not finite can be made in code only; read again, it is refused by name.
        double number => double.IsFinite(number) ? JsonValue.Create(number) : JsonValue.Create(number.ToString(CultureInfo.InvariantCulture)),
        Enum choice => JsonValue.Create(ConfigSchema.Choices(choice.GetType())[Array.IndexOf(Enum.GetNames(choice.GetType()), choice.ToString())]),
        IConfigOverlay overlay => overlay.Tree.DeepClone(),
        IDictionary records => new JsonObject(records.Keys.Cast<string>().Select(name => KeyValuePair.Create(name, ToTree(records[name], ConfigSchema.ValueOf(type)!)))),
        IEnumerable list => new JsonArray([.. list.Cast<object?>().Select(item => ToTree(item, ConfigSchema.ElementOf(type)!))]),
        _ => Record(value, type),
    };

    private static JsonObject Record(object record, Type type)
    {
        var tree = new JsonObject();
        if (ConfigSchema.Kinds(type).Count > 0)
        {
            tree[ConfigJson.Kind] = Variant.KindOf(type, record.GetType());
        }

        foreach (ConfigKey key in ConfigSchema.Keys(record.GetType()))
        {
            object? value = key.Property.GetValue(record);
            tree[key.Name] = key.IsKindOnly && value is not null ? JsonValue.Create(Variant.KindOf(key.Type, value.GetType())) : ToTree(value, key.Type);
        }

        return tree;
    }
}
