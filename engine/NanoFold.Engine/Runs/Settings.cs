using System.IO.Enumeration;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Runs;

/// <summary>A key of a configuration.</summary>
/// <param name="Key">As <c>--set</c> names it; <c>N</c> stands for an index of a list.</param>
/// <param name="Kinds">The kinds of variant that have it; none where every configuration, or every kind, has it.</param>
/// <param name="Type">In words: <c>an integer of at least 1</c>.</param>
/// <param name="Default">As it is written in JSON.</param>
/// <param name="Resolved">What the default becomes in preset nano, where that is something else.</param>
/// <param name="Meaning">What it is.</param>
/// <param name="Choices">The values or kinds that it may have, each with its meaning; empty for others.</param>
public sealed record Setting(
    string Key, IReadOnlyList<string> Kinds, string Type, string Default, string? Resolved, string Meaning, IReadOnlyList<(string Name, string Meaning)> Choices)
{
    /// <summary>The section that it is in: the part before the first dot, empty for keys of the top.</summary>
    public string Section => Key.Contains('.') ? Key[..Key.IndexOf('.')] : "";

    /// <summary>Whether a pattern names it: its key, a key above it, or with <c>*</c> and <c>?</c> for any characters. A key that was moved has its old name too.</summary>
    public bool Matches(string pattern)
        => FileSystemName.MatchesSimpleExpression(pattern, Key) || Key.StartsWith($"{pattern}.", StringComparison.OrdinalIgnoreCase)
            || MovedKeys.All.Any(moved => moved.Now == Key && FileSystemName.MatchesSimpleExpression(pattern, moved.Old));
}

/// <summary>Every key of <see cref="RunConfig"/> and of every variant, described by the documentation of the records themselves.</summary>
public sealed class Settings
{
    private readonly XmlMeanings _meanings = new(typeof(RunConfig).Assembly);
    private readonly List<Setting> _all = [];
    private readonly HashSet<Type> _families = [];

    private Settings()
    {
        Add("", new RunConfig(), Presets.Of(Presets.Default).Resolve());
        Sections = [.. ConfigSchema.Keys(typeof(RunConfig)).Where(key => ConfigSchema.IsSection(key.Type)).Select(key => (key.Name, _meanings.Of(key.Property)))];
    }

    /// <summary>Reads the documentation.</summary>
    /// <exception cref="UserException">The file with the documentation is not beside the program.</exception>
    public static Settings Read() => new();

    /// <summary>In the order in which they are written.</summary>
    public IReadOnlyList<Setting> Keys => _all;

    /// <summary>The sections, each with its meaning.</summary>
    public IReadOnlyList<(string Name, string Meaning)> Sections { get; }

    private void Add(string parent, object record, object? resolved)
    {
        foreach (ConfigKey key in ConfigSchema.Keys(record.GetType()))
        {
            object? value = key.Property.GetValue(record), later = resolved is null ? null : key.Property.GetValue(resolved);
            string path = ConfigKeys.Join(parent, key.Name);
            if (ConfigSchema.IsSection(key.Type))
            {
                Add(path, value!, later);
            }
            else
            {
                Add(path, [], key, value, later);
            }
        }
    }

    private void Add(string path, IReadOnlyList<string> kinds, ConfigKey key, object? value, object? resolved)
    {
        string written = Show(value, key), found = resolved is null ? written : Show(resolved, key);
        string type = ConfigSchema.Describe(key);
        _all.Add(new Setting(path, kinds, type, written, found == written ? null : found, _meanings.Of(key.Property), Choices(key.Type)));
        if (!key.IsKindOnly)
        {
            AddBelow(path, key.Type);
        }
    }

    // The keys of a list's elements, and those of each kind; a family is described at its first place only.
    private void AddBelow(string path, Type type)
    {
        if (ConfigSchema.ElementOf(type) is { } element)
        {
            string place = ConfigKeys.Join(path, "N");
            if (ConfigSchema.IsSection(element))
            {
                Add(place, Activator.CreateInstance(element)!, null);
            }

            AddBelow(place, element);
        }

        if (ConfigSchema.Kinds(type) is { Count: > 0 } kinds && _families.Add(type))
        {
            AddKinds(path, kinds);
        }
    }

    // A key that several kinds have from a record below theirs stands once.
    private void AddKinds(string path, IReadOnlyList<Variant> kinds)
    {
        var keys = kinds.SelectMany(kind => ConfigSchema.Keys(kind.Type).Select(key => (Kind: kind, Key: key)))
            .GroupBy(pair => (pair.Key.Property.DeclaringType, pair.Key.Name));
        foreach (var group in keys)
        {
            (Variant kind, ConfigKey key) = group.First();
            string[] having = group.Count() == kinds.Count ? [] : [.. group.Select(pair => pair.Kind.Kind)];
            Add(ConfigKeys.Join(path, key.Name), having, key, key.Property.GetValue(Activator.CreateInstance(kind.Type)), null);
        }
    }

    private static string Show(object? value, ConfigKey key)
    {
        JsonNode? tree = ConfigWriter.ToTree(value, key.Type);
        // A record is shown by its kind; its keys follow.
        tree = tree is JsonObject record && record[ConfigJson.Kind] is { } kind ? kind.DeepClone() : tree;
        return key.Bounds?.Auto == true && tree?.ToJsonString() == "0" ? "auto" : ConfigJson.TextOf(tree) is { Length: > 0 } text ? text : ConfigJson.Show(tree);
    }

    private (string Name, string Meaning)[] Choices(Type declared)
    {
        Type type = Nullable.GetUnderlyingType(declared) ?? declared;
        type = ConfigSchema.ElementOf(type) ?? type;
        return type.IsEnum
            ? [.. ConfigSchema.Choices(type).Zip(Enum.GetNames(type), (name, value) => (name, _meanings.Of(type, value)))]
            : [.. ConfigSchema.Kinds(type).Select(variant => (variant.Kind, _meanings.Of(variant.Type)))];
    }
}
