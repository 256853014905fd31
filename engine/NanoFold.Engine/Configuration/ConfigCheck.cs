using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace NanoFold.Engine.Configuration;

/// <summary>
/// Compares a tree with the record types that it will be bound to, so that every unknown key, wrong type and number out of range
/// is named at once, before anything is bound.
/// </summary>
internal sealed class ConfigCheck(List<ConfigProblem> problems)
{
    /// <summary>The tree in the form in which it binds: kinds as records, <c>auto</c> as 0, <c>6.0</c> as 6.</summary>
    public JsonNode? Check(JsonNode? node, Type type, string path)
        => Check(node, type, path, mayBeNull: false, bounds: null);

    private JsonNode? Check(JsonNode? node, Type type, string path, bool mayBeNull, BoundsAttribute? bounds)
    {
        if (node is null)
        {
            return mayBeNull ? null : Wrong(path, type, bounds, node);
        }

        Type value = Nullable.GetUnderlyingType(type) ?? type;
        if (ConfigJson.Kinds(value) is { } kinds)
        {
            return CheckKind(node, value, [.. kinds], path);
        }

        if (ConfigJson.ElementOf(value) is { } element)
        {
            return node is JsonArray list
                ? new JsonArray([.. list.Select((item, i) => Check(item, element, ConfigKeys.Join(path, i.ToString(CultureInfo.InvariantCulture))))])
                : Wrong(path, type, bounds, node);
        }

        if (value.IsEnum)
        {
            return CheckChoice(node, value, path);
        }

        if (value == typeof(string) || value == typeof(bool))
        {
            bool fits = value == typeof(string)
                ? node.GetValueKind() == JsonValueKind.String
                : node.GetValueKind() is JsonValueKind.True or JsonValueKind.False;
            return fits ? node.DeepClone() : Wrong(path, type, bounds, node);
        }

        if (value == typeof(int) || value == typeof(long) || value == typeof(double))
        {
            return CheckNumber(node, value, path, bounds);
        }

        return node is JsonObject record ? CheckRecord(record, value, path, variants: null) : Wrong(path, type, bounds, node);
    }

    private JsonObject CheckRecord(JsonObject record, Type type, string path, Type? variants)
    {
        var result = new JsonObject();
        foreach ((string key, JsonNode? value) in record)
        {
            string keyPath = ConfigKeys.Join(path, key);
            if (variants is not null && key == ConfigJson.Kind)
            {
                result[key] = value!.DeepClone();
            }
            else if (ConfigJson.Property(type, key) is { } property)
            {
                result[key] = Check(value, property.PropertyType, keyPath, property.IsSetNullable, BoundsOf(property));
            }
            else
            {
                problems.Add(new ConfigProblem(keyPath, ConfigKeys.Unknown(path, key, type, variants)));
            }
        }

        return result;
    }

    private JsonNode? CheckKind(JsonNode node, Type type, JsonDerivedType[] kinds, string path)
    {
        if (node is JsonValue name && name.GetValueKind() == JsonValueKind.String)
        {
            node = new JsonObject { [ConfigJson.Kind] = name.DeepClone() };
        }

        if (node is not JsonObject record)
        {
            return Wrong(path, type, null, node);
        }

        string known = string.Join(", ", kinds.Select(ConfigJson.KindOf));
        if (!record.TryGetPropertyValue(ConfigJson.Kind, out JsonNode? kind))
        {
            problems.Add(new ConfigProblem(ConfigKeys.Join(path, ConfigJson.Kind), $"is missing; one of {known}"));
            return null;
        }

        if (kind is not JsonValue || kind.GetValueKind() != JsonValueKind.String)
        {
            problems.Add(new ConfigProblem(path, $"expected a kind (one of {known}), got {ConfigJson.Show(kind)}"));
            return null;
        }

        string wanted = kind.GetValue<string>();
        foreach (JsonDerivedType candidate in kinds)
        {
            if (ConfigJson.KindOf(candidate) == wanted)
            {
                return CheckRecord(record, candidate.DerivedType, path, variants: type);
            }
        }

        problems.Add(new ConfigProblem(path, $"unknown kind {ConfigJson.Show(kind)}{Meant(wanted, kinds.Select(ConfigJson.KindOf))}; known: {known}"));
        return null;
    }

    private JsonNode? CheckChoice(JsonNode node, Type type, string path)
    {
        IReadOnlyList<string> names = ConfigJson.Names(type);
        string? text = node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;
        if (text is not null && names.Contains(text))
        {
            return node.DeepClone();
        }

        problems.Add(new ConfigProblem(path, $"expected one of {string.Join(", ", names)}, got {ConfigJson.Show(node)}{(text is null ? "" : Meant(text, names))}"));
        return null;
    }

    private JsonNode? CheckNumber(JsonNode node, Type type, string path, BoundsAttribute? bounds)
    {
        if (bounds?.Auto == true && node.GetValueKind() == JsonValueKind.String && node.GetValue<string>() == "auto")
        {
            return JsonValue.Create(0);
        }

        // Numbers are compared as they are written: a tree holds the text, whichever type made it.
        if (node.GetValueKind() != JsonValueKind.Number
            || !double.TryParse(node.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            || (type != typeof(double) && number != Math.Floor(number)))
        {
            return Wrong(path, type, bounds, node);
        }

        double largest = type == typeof(int) ? int.MaxValue : type == typeof(long) ? long.MaxValue : double.MaxValue;
        if (!(Math.Abs(number) <= largest) || bounds?.Contain(number) == false)
        {
            problems.Add(new ConfigProblem(path, $"expected {Expected(type, bounds)}, got {ConfigJson.Show(node)}"));
            return null;
        }

        return type == typeof(double) ? JsonValue.Create(number)
            : long.TryParse(node.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long exact) ? JsonValue.Create(exact)
            : number < long.MaxValue ? JsonValue.Create((long)number)
            : Wrong(path, type, bounds, node);
    }

    private JsonNode? Wrong(string path, Type type, BoundsAttribute? bounds, JsonNode? node)
    {
        problems.Add(new ConfigProblem(path, $"expected {Expected(type, bounds)}, got {ConfigJson.Show(node)}"));
        return null;
    }

    private static string Expected(Type type, BoundsAttribute? bounds)
    {
        Type value = Nullable.GetUnderlyingType(type) ?? type;
        string name = value == typeof(string) ? "a string"
            : value == typeof(bool) ? "true or false"
            : value == typeof(int) || value == typeof(long) ? "an integer"
            : value == typeof(double) ? "a number"
            : value.IsEnum ? $"one of {string.Join(", ", ConfigJson.Names(value))}"
            : ConfigJson.ElementOf(value) is not null ? "a list"
            : ConfigJson.Kinds(value) is { } kinds ? $"a kind (one of {string.Join(", ", kinds.Select(ConfigJson.KindOf))}) or its record"
            : "a section { … }";
        string range = bounds is null ? "" : $" of {bounds}";
        return name + range + (bounds?.Auto == true ? " or \"auto\"" : "");
    }

    private static string Meant(string text, IEnumerable<string> names)
        => NearestName.Among(text, names) is { } near ? $", did you mean \"{near}\"?" : "";

    private static BoundsAttribute? BoundsOf(JsonPropertyInfo property)
        => property.AttributeProvider?.GetCustomAttributes(typeof(BoundsAttribute), true) is [BoundsAttribute bounds, ..] ? bounds : null;
}
