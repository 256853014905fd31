using System.Reflection;
using System.Text.Json.Serialization;

namespace NanoFold.Engine.Configuration;

/// <summary>
/// The kinds of each family of records that a configuration may name: those of its <c>[JsonDerivedType]</c> lines, and those that a program outside of this
/// repository registers before it reads a configuration. The families are the abstract records of mixers, feed-forwards, residual connections, edits,
/// measures and so on. A registered kind is read, checked, described, completed and saved as every other.
/// </summary>
public static class Kinds
{
    private static readonly Lock s_lock = new();
    private static readonly List<(Type Family, Variant Variant)> s_registered = [];

    /// <summary>Adds a kind. The same once more changes nothing.</summary>
    /// <typeparam name="TFamily">The abstract record of the family, such as <c>MixerConfig</c>.</typeparam>
    /// <param name="kind">Its name in configurations: small letters, digits and dashes.</param>
    /// <param name="record">A record that derives from the family and can be made without arguments; its properties that can be set are its settings.</param>
    /// <exception cref="ArgumentException">The name is taken or is none, or the record cannot be a kind of that family; the message says why.</exception>
    public static void Register<TFamily>(string kind, Type record)
        where TFamily : class
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(record);
        string what = $"kind \"{kind}\" of {record.Name}";
        Type family = FamilyOf(typeof(TFamily));
        Require(family.IsDefined(typeof(JsonDerivedTypeAttribute), false), what, $"{typeof(TFamily).Name} is not a family of kinds; one is, for example, MixerConfig");
        Require(kind.Length > 0 && kind.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') && char.IsAsciiLetterLower(kind[0]), what,
            "a name has small letters, digits and dashes, and begins with a letter");
        Require(record.IsAssignableTo(typeof(TFamily)), what, $"it does not derive from {typeof(TFamily).Name}");
        Require(!record.IsAbstract && !record.ContainsGenericParameters, what, "it is abstract or generic, so that none can be made");
        Require(ConfigSchema.IsRecord(record), what, "it is a class; settings are a record");
        Require(record.GetConstructor(Type.EmptyTypes) is not null, what, "it has no public constructor without parameters; give every setting a default");
        foreach (PropertyInfo setting in ConfigSchema.SettingsOf(record))
        {
            Require(ConfigSchema.CanBeRead(setting.PropertyType), what,
                $"{setting.Name} is of type {setting.PropertyType.Name}; a setting is an int, long, double, bool, string, choice, record, kind, or an IReadOnlyList, IReadOnlyDictionary (by name) or ConfigOverlay of these");
            Require(setting.Name != "Kind", what, "Kind cannot be a setting, for it names the kind");
        }

        lock (s_lock)
        {
            IReadOnlyList<Variant> there = ConfigSchema.Kinds(family);
            if (there.Any(variant => variant.Kind == kind && variant.Type == record))
            {
                return;
            }

            Variant? same = there.FirstOrDefault(variant => variant.Kind == kind), other = there.FirstOrDefault(variant => variant.Type == record);
            Require(same is null, what, $"the name is taken by {same?.Type.Name}");
            Require(other is null, what, $"it is registered already as \"{other?.Kind}\"");
            s_registered.Add((family, new Variant(kind, record)));
            ConfigSchema.ForgetKinds();
        }
    }

    /// <summary>The kinds of a family, or of a branch of one, in the order of their lines; registered ones last.</summary>
    internal static Variant[] Find(Type type)
    {
        Type family = FamilyOf(type);
        lock (s_lock)
        {
            return
            [
                .. family.GetCustomAttributes<JsonDerivedTypeAttribute>(false).Select(line => new Variant((string)line.TypeDiscriminator!, line.DerivedType))
                    .Concat(s_registered.Where(registered => registered.Family == family).Select(registered => registered.Variant))
                    .Where(variant => variant.Type.IsAssignableTo(type)),
            ];
        }
    }

    // A branch of a family, such as feed-forwards without routing, has those of the family's kinds that belong to it.
    private static Type FamilyOf(Type type)
    {
        while (type.BaseType is { IsAbstract: true } parent && !type.IsDefined(typeof(JsonDerivedTypeAttribute), false))
        {
            type = parent;
        }

        return type;
    }

    private static void Require(bool holds, string what, string problem)
    {
        if (!holds)
        {
            throw new ArgumentException($"{what}: {problem}");
        }
    }
}

/// <summary>One kind of a family, such as a mixer, feed-forward or tokenizer.</summary>
/// <param name="Kind">Its name in configurations.</param>
/// <param name="Type">Its config record.</param>
public sealed record Variant(string Kind, Type Type)
{
    /// <summary>What the <c>[JsonDerivedType]</c> lines of <typeparamref name="TConfig"/> register, in their order, then what <see cref="Kinds.Register"/> added.</summary>
    public static IReadOnlyList<Variant> Of<TConfig>() => ConfigSchema.Kinds(typeof(TConfig));

    /// <summary>The kind of a config record.</summary>
    internal static string KindOf<TConfig>(TConfig config)
        where TConfig : notnull
        => KindOf(typeof(TConfig), config.GetType());

    /// <summary>The kind that <paramref name="type"/> is of the abstract record <paramref name="family"/>.</summary>
    internal static string KindOf(Type family, Type type)
        => ConfigSchema.Kinds(family).FirstOrDefault(variant => variant.Type == type)?.Kind
            ?? throw new InvalidOperationException($"{type.Name} is not registered: it needs a [JsonDerivedType] line on {family.Name}, or Kinds.Register<{family.Name}>(name, typeof({type.Name}))");
}

/// <summary>A key whose value is the name of a kind and nothing more: the kind's settings are not read.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class KindOnlyAttribute : Attribute;
