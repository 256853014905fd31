using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace NanoFold.Engine.Configuration;

/// <summary>
/// What the configuration records say about themselves: keys, kinds, choices. By plain reflection: the metadata of JsonSerializer would
/// compile a thousand methods before a command does anything.
/// </summary>
internal static class ConfigSchema
{
    private const string Clone = "<Clone>$";

    private static readonly ConcurrentDictionary<Type, ConfigKey[]> s_keys = new();
    private static readonly ConcurrentDictionary<Type, Variant[]> s_kinds = new();

    /// <summary>The keys of a record: its properties that can be set.</summary>
    public static IReadOnlyList<ConfigKey> Keys(Type type) => s_keys.GetOrAdd(type, FindKeys);

    /// <summary>The key of that name; of an abstract record, the first that any kind has.</summary>
    public static ConfigKey? Key(Type type, string name)
    {
        foreach (Variant variant in Kinds(type))
        {
            if (Key(variant.Type, name) is { } found)
            {
                return found;
            }
        }

        return Keys(type).FirstOrDefault(key => key.Name == name);
    }

    /// <summary>The variants of an abstract record; none of other types.</summary>
    public static IReadOnlyList<Variant> Kinds(Type type)
        => type.IsAbstract ? s_kinds.GetOrAdd(type, Configuration.Kinds.Find) : [];

    /// <summary>To be called when a kind was registered.</summary>
    public static void ForgetKinds() => s_kinds.Clear();

    /// <summary>Whether a type is a record: only those have keys.</summary>
    public static bool IsRecord(Type type) => type.IsClass && type.GetMethod(Clone) is not null;

    /// <summary>What <c>with { }</c> compiles to.</summary>
    public static object Copy(object record) => record.GetType().GetMethod(Clone)!.Invoke(record, null)!;

    /// <summary>Whether the reader can make a value of that type.</summary>
    public static bool CanBeRead(Type declared)
    {
        Type type = Nullable.GetUnderlyingType(declared) ?? declared;
        return type == typeof(string) || type == typeof(bool) || type == typeof(int) || type == typeof(long) || type == typeof(double) || type.IsEnum
            || OverlaidBy(type) is not null
            || ((ElementOf(type) ?? ValueOf(type)) is { } element ? CanBeRead(element) : Kinds(type).Count > 0 || (IsRecord(type) && type.GetConstructor(Type.EmptyTypes) is not null));
    }

    /// <summary>The properties of a record that can be set, its own last.</summary>
    public static IEnumerable<PropertyInfo> SettingsOf(Type record) => record.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.CanWrite)
        .OrderBy(property => property.DeclaringType == record);

    /// <summary>The element type of a list, or null.</summary>
    public static Type? ElementOf(Type type)
        => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    /// <summary>The type of the records that have names of their own, or null.</summary>
    public static Type? ValueOf(Type type)
        => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>) ? type.GetGenericArguments()[1] : null;

    /// <summary>The record for which a type holds settings, or null.</summary>
    public static Type? OverlaidBy(Type type)
        => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ConfigOverlay<>) ? type.GetGenericArguments()[0] : null;

    /// <summary>Whether a key is a record of its own, of one kind only.</summary>
    public static bool IsSection(Type type) => Keys(type).Count > 0 && Kinds(type).Count == 0 && ElementOf(type) is null && OverlaidBy(type) is null;

    /// <summary>How a list of that type is written as one text, or null where it is not.</summary>
    public static ListTextAttribute? TextOf(Type list) => ElementOf(list)?.GetCustomAttribute<ListTextAttribute>();

    /// <summary>How the values of an enumeration are written, in the order of the values.</summary>
    public static IReadOnlyList<string> Choices(Type enumeration)
        => [.. Enum.GetNames(enumeration).Select(name =>
            enumeration.GetField(name)!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name
                ?? JsonNamingPolicy.KebabCaseLower.ConvertName(name))];

    /// <summary>The names of all variants of an abstract record.</summary>
    public static string Names(Type family) => string.Join(", ", Kinds(family).Select(kind => kind.Kind));

    /// <summary>What a key takes, in words: <c>an integer of at least 1 or "auto"</c>.</summary>
    public static string Describe(ConfigKey key) => key.IsKindOnly ? $"a kind (one of {Names(key.Type)})" : Describe(key.Type, key.Bounds);

    /// <inheritdoc cref="Describe(ConfigKey)"/>
    public static string Describe(Type declared, BoundsAttribute? bounds)
    {
        Type type = Nullable.GetUnderlyingType(declared) ?? declared;
        string name = type == typeof(string) ? "a string"
            : type == typeof(bool) ? "true or false"
            : type == typeof(int) || type == typeof(long) ? "an integer"
            : type == typeof(double) ? "a number"
            : type.IsEnum ? $"one of {string.Join(", ", Choices(type))}"
            : ElementOf(type) is not null ? "a list"
            : ValueOf(type) is not null ? "records by name { \"name\": … }"
            : OverlaidBy(type) is not null ? "settings { … }"
            : Kinds(type).Count > 0 ? $"a kind (one of {Names(type)}) or its record"
            : "a section { … }";
        string range = bounds is null ? "" : $" of {bounds}";
        return name + range + (bounds?.Auto == true ? " or \"auto\"" : "");
    }

    private static ConfigKey[] FindKeys(Type type)
    {
        if (!IsRecord(type) || OverlaidBy(type) is not null)
        {
            return [];
        }

        var nullability = new NullabilityInfoContext();
        return [.. SettingsOf(type)
            .Select(property => new ConfigKey(
                JsonNamingPolicy.CamelCase.ConvertName(property.Name),
                property,
                property.PropertyType.IsValueType
                    ? Nullable.GetUnderlyingType(property.PropertyType) is not null
                    : nullability.Create(property).WriteState == NullabilityState.Nullable))];
    }
}
