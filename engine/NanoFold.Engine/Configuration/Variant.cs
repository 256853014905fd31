using System.Text.Json.Serialization.Metadata;

namespace NanoFold.Engine.Configuration;

/// <summary>One registered variant of a mixer, feed-forward or tokenizer.</summary>
/// <param name="Kind">Its name in configurations.</param>
/// <param name="Type">Its config record.</param>
public sealed record Variant(string Kind, Type Type)
{
    /// <summary>
    /// What the <c>[JsonDerivedType]</c> lines of <typeparamref name="TConfig"/> register, in their order.
    /// </summary>
    public static IReadOnlyList<Variant> Of<TConfig>()
        => [.. ConfigJson.Kinds(typeof(TConfig))!.Select(variant => new Variant(ConfigJson.KindOf(variant), variant.DerivedType))];

    /// <summary>The kind of a config record.</summary>
    internal static string KindOf<TConfig>(TConfig config)
        where TConfig : notnull
    {
        foreach (JsonDerivedType variant in ConfigJson.Kinds(typeof(TConfig))!)
        {
            if (variant.DerivedType == config.GetType())
            {
                return ConfigJson.KindOf(variant);
            }
        }

        throw new InvalidOperationException($"{config.GetType().Name} is not registered: it needs a [JsonDerivedType] line on {typeof(TConfig).Name}");
    }
}
