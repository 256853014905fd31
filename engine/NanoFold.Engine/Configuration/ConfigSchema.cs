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
        => type.IsAbstract ? s_kinds.GetOrAdd(type, FindKinds) : [];

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
        if (!type.IsClass || OverlaidBy(type) is not null || type.Namespace?.StartsWith("NanoFold.", StringComparison.Ordinal) != true)
        {
            return [];
        }

        var nullability = new NullabilityInfoContext();
        return [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.CanWrite)
            .OrderBy(property => property.DeclaringType == type)
            .Select(property => new ConfigKey(
                JsonNamingPolicy.CamelCase.ConvertName(property.Name),
                property,
                property.PropertyType.IsValueType
                    ? Nullable.GetUnderlyingType(property.PropertyType) is not null
                    : nullability.Create(property).WriteState == NullabilityState.Nullable))];
    }

    // A branch of a family, such as feed-forwards without routing, has those of the family's kinds that belong to it.
    private static Variant[] FindKinds(Type type)
    {
        Type family = type;
        while (family.BaseType is { IsAbstract: true } parent && !family.IsDefined(typeof(JsonDerivedTypeAttribute), false))
        {
            family = parent;
        }

        return [.. family.GetCustomAttributes<JsonDerivedTypeAttribute>(false)
            .Where(line => line.DerivedType.IsAssignableTo(type))
            .Select(line => new Variant((string)line.TypeDiscriminator!, line.DerivedType))];
    }
}
