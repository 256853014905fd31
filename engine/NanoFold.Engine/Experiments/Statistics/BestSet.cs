namespace NanoFold.Engine.Experiments.Statistics;

/// <summary>
/// Which of several variants may be the best: those that no other one beats. A variant is left out where another one is better by a paired t test at 5 % ÷ (k − 1), so that the truly best of k is left
/// out in fewer than 5 % of cases, whichever looks best (multiple comparisons with the best: Edwards and Hsu 1983, with Bonferroni's bound). Theirs is one-sided; this one has two sides as verdicts have,
/// so that of two variants none is the best where no difference is seen. The best mean alone is no winner: it is one where nothing else is left.
/// </summary>
public static class BestSet
{
    /// <summary>Whether each variant may be the best; null where too little is known of it to say: fewer than two seeds that it shares with another one.</summary>
    /// <param name="values">Of each variant its figure by seed.</param>
    /// <param name="isLowerBetter">Whether a smaller figure is the better one.</param>
    public static IReadOnlyList<bool?> Of(IReadOnlyList<IReadOnlyDictionary<long, double>> values, bool isLowerBetter)
        => [.. values.Select((own, i) => MayBeBest(own, [.. values.Where((_, j) => j != i)], isLowerBetter))];

    private static bool? MayBeBest(IReadOnlyDictionary<long, double> own, IReadOnlyDictionary<long, double>[] others, bool isLowerBetter)
    {
        PairedDifference[] differences =
        [
            .. others.Select(other => PairedDifference.Of([.. own.Keys.Where(other.ContainsKey).Select(seed => (own[seed], other[seed]))]))
                .OfType<PairedDifference>().Where(difference => difference.PValue is not null),
        ];
        double share = PairedDifference.Share / Math.Max(1, differences.Length);
        return differences.Length == 0 ? null : !differences.Any(difference => difference.PValue <= share && (isLowerBetter ? difference.Mean > 0 : difference.Mean < 0));
    }
}
