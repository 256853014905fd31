namespace NanoFold.Engine.Configuration;

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
