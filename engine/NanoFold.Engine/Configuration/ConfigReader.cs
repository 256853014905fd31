using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>
/// Binds a tree to the configuration records. Every unknown key, wrong type and number out of range becomes a problem; what is read is only
/// good where there is none.
/// </summary>
/// <param name="root">The record of the whole configuration.</param>
/// <param name="problems">Where they are added.</param>
/// <param name="aliases">The key that a name of another tool stands for, or null.</param>
/// <param name="places">Where keys stand, for settings that are checked later; or null.</param>
internal sealed class ConfigReader(Type root, List<ConfigProblem> problems, Func<string, string?>? aliases = null, ConfigPlaces? places = null)
{
    /// <summary>A record with the keys of <paramref name="tree"/>, the others as in <paramref name="defaults"/>.</summary>
    public object Read(JsonObject tree, object defaults) => ReadRecord(tree, root, family: null, "", defaults);

    private object? Read(JsonNode? node, Type declared, string path, object? defaults, bool mayBeNull = false, BoundsAttribute? bounds = null)
    {
        if (node is null)
        {
            return mayBeNull ? null : Wrong(path, declared, bounds, node);
        }

        Type type = Nullable.GetUnderlyingType(declared) ?? declared;
        if (ConfigSchema.Kinds(type) is { Count: > 0 } kinds)
        {
            return ReadKind(node, type, kinds, path, defaults);
        }

        if (ConfigSchema.ElementOf(type) is { } element)
        {
            string? problem = null;
            JsonArray? list = node as JsonArray ?? (ConfigJson.TextOf(node) is { } text ? ConfigSchema.TextOf(type)?.Parse(text, out problem) : null);
            return list is not null ? ReadList(list, element, path) : problem is not null ? Add(path, problem) : Wrong(path, type, bounds, node);
        }

        if (ConfigSchema.ValueOf(type) is { } value)
        {
            return node is JsonObject records ? ReadByName(records, value, path, defaults as IDictionary) : Wrong(path, type, bounds, node);
        }

        if (ConfigSchema.OverlaidBy(type) is not null)
        {
            return node is JsonObject settings ? Overlay(settings, type, path) : Wrong(path, type, bounds, node);
        }

        if (type.IsEnum)
        {
            return ReadChoice(node, type, path);
        }

        if (type == typeof(string))
        {
            return ConfigJson.TextOf(node) ?? Wrong(path, type, bounds, node);
        }

        if (type == typeof(bool))
        {
            return node.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? node.GetValue<bool>() : Wrong(path, type, bounds, node);
        }

        if (type.IsPrimitive)
        {
            return ReadNumber(node, type, path, bounds);
        }

        return node is JsonObject record ? ReadRecord(record, type, family: null, path, defaults) : Wrong(path, type, bounds, node);
    }

    private object ReadRecord(JsonObject tree, Type type, Type? family, string path, object? defaults)
    {
        object record = defaults?.GetType() == type ? ConfigSchema.Copy(defaults) : Activator.CreateInstance(type)!;
        foreach ((string name, JsonNode? node) in tree)
        {
            if (family is not null && name == ConfigJson.Kind)
            {
                continue;
            }

            string keyPath = ConfigKeys.Join(path, name);
            if (ConfigSchema.Key(type, name) is not { } key)
            {
                problems.Add(new ConfigProblem(keyPath, ConfigKeys.Unknown(root, path, name, type, family, aliases)));
                continue;
            }

            int before = problems.Count;
            object? value = key.IsKindOnly && !IsKindOnly(node)
                ? Wrong(keyPath, ConfigSchema.Describe(key), node)
                : Read(node, key.Type, keyPath, key.Property.GetValue(record), key.MayBeNull, key.Bounds);
            if (problems.Count == before)
            {
                key.Property.SetValue(record, value);
            }
        }

        return record;
    }

    private Array ReadList(JsonArray list, Type element, string path)
    {
        var items = Array.CreateInstance(element, list.Count);
        for (int i = 0; i < list.Count; i++)
        {
            int before = problems.Count;
            object? item = Read(list[i], element, ConfigKeys.Join(path, i.ToString(CultureInfo.InvariantCulture)), defaults: null);
            if (problems.Count == before)
            {
                items.SetValue(item, i);
            }
        }

        return items;
    }

    // In the order in which they are written; those that the defaults have too are changed.
    private IDictionary ReadByName(JsonObject records, Type value, string path, IDictionary? defaults)
    {
        var read = (IDictionary)Activator.CreateInstance(typeof(OrderedDictionary<,>).MakeGenericType(typeof(string), value))!;
        foreach (string name in defaults?.Keys ?? Array.Empty<string>())
        {
            read.Add(name, defaults![name]);
        }

        foreach ((string name, JsonNode? node) in records)
        {
            int before = problems.Count;
            object? item = Read(node, value, ConfigKeys.Join(path, name), defaults?[name]);
            if (problems.Count == before)
            {
                read[name] = item;
            }
        }

        return read;
    }

    private object Overlay(JsonObject settings, Type type, string path)
    {
        object overlay = Activator.CreateInstance(type)!;
        ((IConfigOverlay)overlay).Fill((JsonObject)settings.DeepClone(), places?.Below(path) ?? new ConfigPlaces());
        return overlay;
    }

    private object? ReadKind(JsonNode node, Type family, IReadOnlyList<Variant> kinds, string path, object? defaults)
    {
        if (ConfigJson.TextOf(node) is { } name)
        {
            node = new JsonObject { [ConfigJson.Kind] = name };
        }

        if (node is not JsonObject record)
        {
            return Wrong(path, family, null, node);
        }

        string known = ConfigSchema.Names(family);
        if (!record.TryGetPropertyValue(ConfigJson.Kind, out JsonNode? kind))
        {
            return defaults is not null
                ? ReadRecord(record, defaults.GetType(), family, path, defaults)
                : Add(ConfigKeys.Join(path, ConfigJson.Kind), $"is missing; one of {known}");
        }

        if (ConfigJson.TextOf(kind) is not { } wanted)
        {
            return Add(path, $"expected a kind (one of {known}), got {ConfigJson.Show(kind)}");
        }

        return kinds.FirstOrDefault(variant => variant.Kind == wanted) is { } found
            ? ReadRecord(record, found.Type, family, path, defaults: null)
            : Add(new ConfigProblem(path, $"unknown kind \"{wanted}\"{Meant(wanted, kinds.Select(variant => variant.Kind))}; known: {known}") { UnknownKind = wanted });
    }

    private object? ReadChoice(JsonNode node, Type type, string path)
    {
        IReadOnlyList<string> names = ConfigSchema.Choices(type);
        string? text = ConfigJson.TextOf(node);
        for (int i = 0; i < names.Count; i++)
        {
            if (names[i] == text)
            {
                return Enum.GetValues(type).GetValue(i);
            }
        }

        return Add(path, $"expected one of {string.Join(", ", names)}, got {ConfigJson.Show(node)}{(text is null ? "" : Meant(text, names))}");
    }

    private object? ReadNumber(JsonNode node, Type type, string path, BoundsAttribute? bounds)
    {
        if (bounds?.Auto == true && ConfigJson.TextOf(node) == "auto")
        {
            return Convert.ChangeType(0, type, CultureInfo.InvariantCulture);
        }

        // Numbers are read as they are written: 6.0 and 1e3 are integers too.
        string text = node.ToJsonString();
        if (node.GetValueKind() != JsonValueKind.Number
            || !double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            || !double.IsFinite(number)
            || bounds?.Contain(number) == false)
        {
            return Wrong(path, type, bounds, node);
        }

        if (type == typeof(double))
        {
            return number;
        }

        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer))
        {
            // 2⁶³, the first double that no long holds.
            if (number != Math.Floor(number) || Math.Abs(number) >= 9223372036854775808.0)
            {
                return Wrong(path, type, bounds, node);
            }

            integer = (long)number;
        }

        return type == typeof(long) ? integer
            : integer is >= int.MinValue and <= int.MaxValue ? (int)integer
            : Wrong(path, type, bounds, node);
    }

    private object? Wrong(string path, Type type, BoundsAttribute? bounds, JsonNode? node) => Wrong(path, ConfigSchema.Describe(type, bounds), node);

    private object? Wrong(string path, string expected, JsonNode? node) => Add(path, $"expected {expected}, got {ConfigJson.Show(node)}");

    private object? Add(string path, string message) => Add(new ConfigProblem(path, message));

    private object? Add(ConfigProblem problem)
    {
        problems.Add(problem);
        return null;
    }

    // Merging makes a record of a name.
    private static bool IsKindOnly(JsonNode? node) => ConfigJson.TextOf(node) is not null || node is JsonObject { Count: 1 } record && record.ContainsKey(ConfigJson.Kind);

    private static string Meant(string text, IEnumerable<string> names)
        => NearestName.Among(text, names) is { } near ? $", did you mean \"{near}\"?" : "";
}
