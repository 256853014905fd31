using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.FeedForward.References;

/// <summary>What a kind of feed-forward must compute, in plain loops over doubles, one token at a time or one sequence. Found by the type of its settings.</summary>
internal abstract class FeedForwardReference
{
    private static readonly Lazy<Dictionary<Type, FeedForwardReference>> s_all =
        new(() => ReferenceTypes.All<FeedForwardReference>().ToDictionary(r => r.Config));

    /// <summary>The type of the settings that it is the reference of.</summary>
    public abstract Type Config { get; }

    /// <summary>
    /// It chooses by size where to send a token: a rounding may choose another way, and what a token comes to depends on the others by rounding.
    /// </summary>
    public virtual bool Chooses => false;

    /// <summary>Its derivative jumps.</summary>
    public virtual bool HasKink => false;

    public static FeedForwardReference Of(FeedForwardConfig feedForward) => Of(feedForward.GetType());

    public static FeedForwardReference Of(Type config) => s_all.Value.TryGetValue(config, out FeedForwardReference? found)
        ? found
        : throw new KeyNotFoundException($"{config.Name}: has no reference; add one to FeedForward/References");

    public static bool Exists(Type config) => s_all.Value.ContainsKey(config);

    /// <summary>What a normed token x [C] adds to the stream, [C].</summary>
    public abstract double[] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[] x);

    /// <summary>The same of a sequence [T][C].</summary>
    public virtual double[][] Forward(FeedForwardConfig feedForward, NaiveLayer layer, double[][] x) => [.. x.Select(row => Forward(feedForward, layer, row))];

    /// <summary>Lengths of the letters in the shapes of its points that are its own, such as experts; null for others.</summary>
    public virtual int? Length(string letter, FeedForwardConfig feedForward) => null;

    /// <summary>Models that show what is special about it, made of a small one; names begin with its kind.</summary>
    public virtual IEnumerable<(string Name, ModelConfig Model)> Variants(ModelConfig small) => [];
}
