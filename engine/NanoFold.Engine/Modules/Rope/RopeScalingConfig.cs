using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;

namespace NanoFold.Engine.Modules;

/// <summary>
/// How the frequencies of rotary positions are changed for texts longer than those of training, θᵢ = base^(−2i/R) without. A variant is a record of its settings with a
/// line here.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(NoRopeScalingConfig), "none")]
[JsonDerivedType(typeof(LinearRopeConfig), "linear")]
[JsonDerivedType(typeof(DynamicRopeConfig), "dynamic")]
[JsonDerivedType(typeof(YarnConfig), "yarn")]
[JsonDerivedType(typeof(Llama3RopeConfig), "llama3")]
[JsonDerivedType(typeof(LongRopeConfig), "longrope")]
public abstract record RopeScalingConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>θ of each pair, in radians a position.</summary>
    /// <param name="angles">What is scaled.</param>
    /// <param name="length">Tokens of the text, which some kinds look at.</param>
    public abstract double[] Frequencies(RopeAngles angles, int length);

    /// <summary>The factor on cosines and sines, of queries and of keys.</summary>
    public virtual double FactorOn => 1;

    /// <summary>The lengths between which frequencies change with each token more: up to First they are one thing, from Last on another; equal where the length decides nothing.</summary>
    public virtual (int First, int Last) ChangingLengths(int context) => (context, context);

    /// <summary>Whether it is said how long the texts of training were.</summary>
    protected static IEnumerable<ConfigProblem> CheckOriginal(int original, string path) =>
        original > 0 ? [] : [new ConfigProblem($"{path}.original", "is missing: the tokens that texts of training had")];

    /// <summary>What does not fit a model whose mixer turns <paramref name="angles"/>.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(RopeAngles angles, string path) => [];
}

/// <summary>What rotary positions turn, before scaling.</summary>
/// <param name="Base">The base of θᵢ = base^(−2i/R).</param>
/// <param name="Width">R, the elements of a head that are turned.</param>
/// <param name="Context">T, the tokens that a text has at most.</param>
public readonly record struct RopeAngles(double Base, int Width, int Context)
{
    /// <summary>θ without scaling, [R/2].</summary>
    public double[] Frequencies => RopeTable.Frequencies(Width, Base);
}

/// <summary>As trained.</summary>
public sealed record NoRopeScalingConfig : RopeScalingConfig
{
    /// <inheritdoc/>
    public override double[] Frequencies(RopeAngles angles, int length) => angles.Frequencies;
}

/// <summary>Positions are divided by a factor: θ / factor (arXiv 2306.15595).</summary>
public sealed record LinearRopeConfig : RopeScalingConfig
{
    /// <summary>By which positions are divided.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Factor { get; init; } = 2;

    /// <inheritdoc/>
    public override double[] Frequencies(RopeAngles angles, int length) => [.. angles.Frequencies.Select(f => f / Factor)];
}

/// <summary>Kinds that stretch texts of a known length by a factor.</summary>
public abstract record StretchedRopeConfig : RopeScalingConfig
{
    /// <summary>How many times longer texts are than those of training.</summary>
    [Bounds(1)]
    public double Factor { get; init; } = 2;

    /// <summary>Tokens of the texts of training, which must be said.</summary>
    [Bounds(0, 1 << 22)]
    public int Original { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(RopeAngles angles, string path) => CheckOriginal(Original, path);
}
