using NanoFold.Engine.Configuration;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Modules;

/// <summary>
/// LongRoPE (arXiv 2402.13753): each pair is divided by a factor of its own, of one list in texts up to the length of training, of another in longer ones. One choice for a
/// whole text in training and of a prompt; while decoding by what there is, where keys stay turned as they were.
/// </summary>
public sealed record LongRopeConfig : RopeScalingConfig
{
    /// <summary>Of each pair in texts up to the length of training, R/2 numbers.</summary>
    public IReadOnlyList<double> ShortFactor { get; init; } = [];

    /// <summary>Of each pair in longer texts, R/2 numbers.</summary>
    public IReadOnlyList<double> LongFactor { get; init; } = [];

    /// <summary>Tokens of the texts of training, which must be said.</summary>
    [Bounds(0, 1 << 22)]
    public int Original { get; init; }

    /// <summary>s, how many times longer texts may be, for the factor √(1 + ln s / ln original) on cosines and sines in texts of all lengths.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double Factor { get; init; } = 1;

    /// <summary>The factor on cosines and sines; null for that of <see cref="Factor"/>.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double? AttentionFactor { get; init; }

    public bool Equals(LongRopeConfig? other) => other is not null
        && ShortFactor.SequenceEqual(other.ShortFactor) && LongFactor.SequenceEqual(other.LongFactor)
        && (Original, Factor, AttentionFactor).Equals((other.Original, other.Factor, other.AttentionFactor));

    public override int GetHashCode() => HashCode.Combine(ShortFactor.Count, LongFactor.Aggregate(0, HashCode.Combine), Original, Factor, AttentionFactor);

    /// <inheritdoc/>
    public override double FactorOn => AttentionFactor ?? (Factor <= 1 || Original <= 1 ? 1 : Math.Sqrt(1 + (PortableMath.Log(Factor) / PortableMath.Log(Original))));

    /// <inheritdoc/>
    public override (int First, int Last) ChangingLengths(int context) => Original < context ? (Original, Original + 1) : (context, context);

    /// <inheritdoc/>
    public override double[] Frequencies(RopeAngles angles, int length)
    {
        IReadOnlyList<double> factors = length > Original ? LongFactor : ShortFactor;
        return [.. angles.Frequencies.Select((f, i) => f / factors[i])];
    }

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(RopeAngles angles, string path)
    {
        foreach (ConfigProblem problem in CheckOriginal(Original, path))
        {
            yield return problem;
        }

        foreach ((string name, IReadOnlyList<double> factors) in new[] { ("shortFactor", ShortFactor), ("longFactor", LongFactor) })
        {
            if (factors.Count != angles.Width / 2)
            {
                yield return new ConfigProblem($"{path}.{name}", $"has {factors.Count} numbers, expected one for each of the {angles.Width / 2} pairs that positions turn");
            }
            else if (factors.Any(factor => !(factor > 0)))
            {
                yield return new ConfigProblem($"{path}.{name}", "has numbers that are not more than 0");
            }
        }
    }
}
