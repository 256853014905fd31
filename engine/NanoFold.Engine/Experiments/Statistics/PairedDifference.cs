using System.Text.Json.Serialization;

namespace NanoFold.Engine.Experiments.Statistics;

/// <summary>What differences over seeds show.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DifferenceVerdict>))]
public enum DifferenceVerdict
{
    /// <summary>There is one pair or none, or the same difference at each of a few seeds, so nothing is known of the noise of seeds.</summary>
    [JsonStringEnumMemberName("unknown")]
    Unknown,

    /// <summary>The interval holds 0: nothing larger than the noise of seeds; or every difference is 0.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>The interval lies below 0, but with as many comparisons one such interval is to be expected by chance.</summary>
    [JsonStringEnumMemberName("lower-alone")]
    LowerAlone,

    /// <summary>The interval lies above 0, but with as many comparisons one such interval is to be expected by chance.</summary>
    [JsonStringEnumMemberName("higher-alone")]
    HigherAlone,

    /// <summary>Below 0, after correction for the number of comparisons.</summary>
    [JsonStringEnumMemberName("lower")]
    Lower,

    /// <summary>Above 0, after correction for the number of comparisons.</summary>
    [JsonStringEnumMemberName("higher")]
    Higher,
}

/// <summary>
/// A figure of a variant minus the same of the base, seed by seed: the seed decides data order and evaluation set for both, so that what they share cancels.
/// </summary>
public sealed record PairedDifference
{
    /// <summary>What intervals leave out and tests allow to be wrong: 5 %.</summary>
    public const double Share = 0.05;

    // Differences that are nearer to each other than this, beside the figures that they are of, are one difference but for rounding.
    private const double Rounding = 1e-12;

    /// <summary>The mean of the differences.</summary>
    public required double Mean { get; init; }

    /// <summary>Seeds that both have.</summary>
    public required int Pairs { get; init; }

    /// <summary>Of the differences; null of one pair, 0 where they are the same at every seed.</summary>
    public double? StandardDeviation { get; init; }

    /// <summary>95 % by Student's t: mean ± t(0.975, n − 1) · s/√n. Null of one pair, and where s is 0: that all agree is no measure of noise, and an interval of no width would claim certainty.</summary>
    public Interval? Interval { get; init; }

    /// <summary>95 % by the percentile bootstrap over pairs; of few seeds it is too narrow. Null where <see cref="Interval"/> is.</summary>
    public Interval? BootstrapInterval { get; init; }

    /// <summary>
    /// Of the two-sided paired t test; where the difference is the same at every seed, of the sign test, 2^(1 − n): as often would n differences have one sign by chance. Null of one pair.
    /// </summary>
    public double? PValue { get; init; }

    /// <summary>The same after Holm's correction for all variants that are compared with the base by this figure (Holm 1979).</summary>
    public double? AdjustedPValue { get; init; }

    /// <summary>How many comparisons that was for.</summary>
    public int Comparisons { get; init; } = 1;

    /// <summary>
    /// Seeds that a paired t test needs to see a difference as large as this one, with the spread seen, in 80 % of cases at 5 % ÷ <see cref="Comparisons"/>, the strictest level of Holm's
    /// correction; null where that is not known or more than <see cref="SeedsNeeded.Most"/>.
    /// </summary>
    public int? SeedsNeeded => StandardDeviation is { } deviation ? Statistics.SeedsNeeded.For(Mean, deviation, Share / Comparisons) : null;

    /// <summary>Whether two seeds or more all have the same difference.</summary>
    [JsonIgnore]
    public bool IsSameEverywhere => Pairs > 1 && StandardDeviation == 0;

    /// <summary>What that shows.</summary>
    public DifferenceVerdict Verdict
        => IsSameEverywhere && Mean == 0 ? DifferenceVerdict.None
            : IsSameEverywhere ? Signed(PValue <= Share)
            : Interval is { } interval ? interval.Contains(0) ? DifferenceVerdict.None : Signed(true)
            : DifferenceVerdict.Unknown;

    /// <summary>The difference of pairs, as yet alone.</summary>
    /// <param name="pairs">Of each seed the variant's figure and the base's; null where there are none.</param>
    public static PairedDifference? Of(IReadOnlyList<(double Variant, double Base)> pairs)
    {
        double[] differences = [.. pairs.Select(pair => pair.Variant - pair.Base)];
        SampleSummary summary = SampleSummary.Of(differences);
        if (summary.StandardDeviation is not { } deviation)
        {
            return differences.Length == 0 ? null : new PairedDifference { Mean = summary.Mean, Pairs = 1 };
        }

        int n = differences.Length;
        double size = pairs.Max(pair => Math.Max(Math.Abs(pair.Variant), Math.Abs(pair.Base)));
        if (deviation <= Rounding * size)
        {
            double mean = Math.Abs(summary.Mean) <= Rounding * size ? 0 : summary.Mean;
            return new PairedDifference { Mean = mean, Pairs = n, StandardDeviation = 0, PValue = mean == 0 ? 1 : Math.Pow(2, 1 - n) };
        }

        double error = deviation / Math.Sqrt(n), reach = StudentT.Critical(Share, n - 1) * error;
        return new PairedDifference
        {
            Mean = summary.Mean,
            Pairs = n,
            StandardDeviation = deviation,
            Interval = new Interval(summary.Mean - reach, summary.Mean + reach),
            BootstrapInterval = PairedBootstrap.Percentile(differences, Share),
            PValue = StudentT.TwoSided(summary.Mean / error, n - 1),
        };
    }

    /// <summary>
    /// The same differences, corrected for their number by Holm's step-down method: sorted by p, pᵢ becomes the largest of (m − j + 1) · pⱼ over j ≤ i, at most 1. Then the chance that any
    /// of those without a difference is said to have one is at most 5 %. Those of one pair count for nothing.
    /// </summary>
    public static IReadOnlyList<PairedDifference?> Corrected(IReadOnlyList<PairedDifference?> differences)
    {
        int[] order = [.. Enumerable.Range(0, differences.Count).Where(i => differences[i]?.PValue is not null).OrderBy(i => differences[i]!.PValue)];
        PairedDifference?[] corrected = [.. differences];
        double largest = 0;
        for (int rank = 0; rank < order.Length; rank++)
        {
            largest = Math.Max(largest, Math.Min(1, (order.Length - rank) * differences[order[rank]]!.PValue!.Value));
            corrected[order[rank]] = differences[order[rank]]! with { AdjustedPValue = largest, Comparisons = order.Length };
        }

        return corrected;
    }

    // What a difference that shows by itself shows after correction.
    private DifferenceVerdict Signed(bool shows) => !shows ? DifferenceVerdict.Unknown
        : (AdjustedPValue ?? PValue) <= Share ? Mean < 0 ? DifferenceVerdict.Lower : DifferenceVerdict.Higher
        : Mean < 0 ? DifferenceVerdict.LowerAlone : DifferenceVerdict.HigherAlone;
}

/// <summary>How many seeds it takes to see a difference.</summary>
public static class SeedsNeeded
{
    /// <summary>Beyond which no number is given.</summary>
    public const int Most = 10_000;

    private const double WantedPower = 0.8;

    /// <summary>
    /// The fewest pairs with which a two-sided paired t test sees the difference in 80 % of cases; null where that is more than <see cref="Most"/>, there is no difference, or no spread is known.
    /// </summary>
    /// <param name="mean">Of the differences.</param>
    /// <param name="deviation">Their standard deviation.</param>
    /// <param name="share">The level of the test.</param>
    public static int? For(double mean, double deviation, double share = PairedDifference.Share)
    {
        double size = Math.Abs(mean) / deviation;
        if (size == 0 || !double.IsFinite(size))
        {
            return null;
        }

        bool Suffices(int pairs) => StudentT.Power(size * Math.Sqrt(pairs), pairs - 1, share) >= WantedPower;
        int low = 1, high = 2;
        while (!Suffices(high))
        {
            if (high >= Most)
            {
                return null;
            }

            (low, high) = (high, Math.Min(Most, high * 2));
        }

        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            (low, high) = Suffices(middle) ? (low, middle) : (middle, high);
        }

        return high;
    }
}
