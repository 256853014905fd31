using NanoFold.Engine.Experiments.Statistics;

namespace NanoFold.Tests.Experiments.Statistics;

public class PairedDifferenceTests
{
    [Test]
    public void IntervalsAreThoseOfThePairedTest()
    {
        // Differences −0.03, −0.01, −0.05; figures by mpmath, the bootstrap's from its 27 resamples.
        PairedDifference found = PairedDifference.Of([(1.52, 1.55), (1.49, 1.50), (1.61, 1.66)])!;
        Assert.Multiple(() =>
        {
            Assert.That(found.Pairs, Is.EqualTo(3));
            Assert.That(found.Mean, Is.EqualTo(-0.03).Within(1e-12));
            Assert.That(found.StandardDeviation, Is.EqualTo(0.02).Within(1e-12));
            Assert.That(found.PValue, Is.EqualTo(0.12168993434632).Within(1e-10));
            Assert.That(found.Interval!.Value.Low, Is.EqualTo(-0.0796827542350066).Within(1e-10));
            Assert.That(found.Interval!.Value.High, Is.EqualTo(0.0196827542350066).Within(1e-10));
            Assert.That(found.BootstrapInterval!.Value.Low, Is.EqualTo(-0.05).Within(1e-12));
            Assert.That(found.BootstrapInterval!.Value.High, Is.EqualTo(-0.01).Within(1e-12));
            Assert.That(found.Verdict, Is.EqualTo(DifferenceVerdict.None));
            Assert.That(found.SeedsNeeded, Is.EqualTo(6), "of 1.5 standard deviations");
        });
    }

    [Test]
    public void OneSeedHasNoInterval()
    {
        PairedDifference found = PairedDifference.Of([(1.5, 1.6)])!;
        Assert.That((found.Interval, found.BootstrapInterval, found.PValue, found.SeedsNeeded, found.Verdict), Is.EqualTo(((Interval?)null, (Interval?)null, (double?)null, (int?)null, DifferenceVerdict.Unknown)));
        Assert.That(found.Mean, Is.EqualTo(-0.1).Within(1e-12));
        Assert.That(PairedDifference.Of([]), Is.Null);
    }

    [Test]
    public void WhatIsTheSameEverywhereIsNoDifference()
    {
        PairedDifference same = PairedDifference.Of([(1, 1), (0.1, 0.1), (0.7, 0.7)])!;
        Assert.That((same.PValue, same.Interval, same.SeedsNeeded, same.Verdict), Is.EqualTo((1.0, (Interval?)null, (int?)null, DifferenceVerdict.None)));
    }

    /// <summary>That n differences agree is no measure of noise: all that it says is that n signs do, which chance alone has in 2^(1 − n) of cases.</summary>
    [TestCase(2, 0.5, DifferenceVerdict.Unknown)]
    [TestCase(5, 0.0625, DifferenceVerdict.Unknown)]
    [TestCase(6, 0.03125, DifferenceVerdict.Higher)]
    public void TheSameDifferenceAtEverySeedIsNotCertainty(int seeds, double p, DifferenceVerdict verdict)
    {
        // 0.9 − 0.7, 0.8 − 0.6 and so on are one number but for rounding.
        PairedDifference found = PairedDifference.Of([.. Enumerable.Range(0, seeds).Select(seed => (0.9 - (0.1 * seed), 0.7 - (0.1 * seed)))])!;
        Assert.That(found.Mean, Is.EqualTo(0.2).Within(1e-12));
        Assert.That((found.PValue, found.Interval, found.BootstrapInterval, found.SeedsNeeded, found.StandardDeviation, found.Verdict), Is.EqualTo(((double?)p, (Interval?)null, (Interval?)null, (int?)null, (double?)0.0, verdict)));
        IReadOnlyList<PairedDifference?> corrected = PairedDifference.Corrected([found, found]);
        Assert.That(corrected[0]!.AdjustedPValue, Is.EqualTo(Math.Min(1, 2 * p)));
        Assert.That(corrected[0]!.Verdict, Is.EqualTo(p <= 0.05 ? DifferenceVerdict.HigherAlone : DifferenceVerdict.Unknown));
    }

    [Test]
    public void SeedsAreCountedForAsManyComparisons()
    {
        PairedDifference one = PairedDifference.Of([(1.52, 1.55), (1.49, 1.50), (1.61, 1.66)])!;
        Assert.That((one.SeedsNeeded, (one with { Comparisons = 5 }).SeedsNeeded), Is.EqualTo(((int?)6, SeedsNeeded.For(1.5, 1, 0.01))));
        Assert.That(SeedsNeeded.For(1.5, 1, 0.01), Is.GreaterThan(6));
    }

    [Test]
    public void PairsTakeOutWhatSeedsShare()
    {
        // Seeds differ by 0.5, variants by 0.02 ± 0.001.
        PairedDifference found = PairedDifference.Of([(1.02, 1.0), (1.521, 1.5), (2.019, 2.0)])!;
        Assert.That(found.Verdict, Is.EqualTo(DifferenceVerdict.Higher));
        Assert.That(found.Interval!.Value.Low, Is.GreaterThan(0.017));
    }

    [Test]
    public void HolmsCorrectionStepsDown()
    {
        // p = 0.01, 0.04, 0.03, and one seed: 3 · 0.01, then 2 · 0.03, then no less than that.
        PairedDifference?[] differences =
        [
            new() { Mean = -1, Pairs = 3, PValue = 0.01, Interval = new(-2, -0.5) }, new() { Mean = 1, Pairs = 3, PValue = 0.04, Interval = new(0.1, 2) },
            new() { Mean = -1, Pairs = 3, PValue = 0.03, Interval = new(-2, -0.1) }, new() { Mean = 3, Pairs = 1 }, null,
        ];
        IReadOnlyList<PairedDifference?> corrected = PairedDifference.Corrected(differences);
        Assert.That(corrected.Select(d => d?.AdjustedPValue), Is.EqualTo(new double?[] { 0.03, 0.06, 0.06, null, null }).Within(1e-12));
        Assert.That(corrected.Select(d => d?.Comparisons), Is.EqualTo(new int?[] { 3, 3, 3, 1, null }));
        Assert.That(corrected.Select(d => d?.Verdict), Is.EqualTo(new DifferenceVerdict?[] { DifferenceVerdict.Lower, DifferenceVerdict.HigherAlone, DifferenceVerdict.LowerAlone, DifferenceVerdict.Unknown, null }));
    }

    [Test]
    public void IntervalsCoverAsTheySay()
    {
        // The true difference is 0.3; of 95 % intervals 95 % hold it, at 3 seeds too. The bootstrap's of 3 hold it in 75 %.
        (double t3, double bootstrap3) = Coverage(seeds: 3, trials: 2000);
        (double t5, _) = Coverage(seeds: 5, trials: 1000);
        Assert.Multiple(() =>
        {
            Assert.That(t3, Is.EqualTo(0.95).Within(0.015));
            Assert.That(t5, Is.EqualTo(0.95).Within(0.02));
            Assert.That(bootstrap3, Is.EqualTo(0.755).Within(0.03), "what the page says of it");
        });
    }

    [Test]
    public void FewFalseDifferencesAreSaidOfMany()
    {
        // 8 variants that are the base but for noise, 3 seeds, 600 comparisons: at most 5 % say that any one differs, and leave out the best.
        var random = new Random(3);
        int wrong = 0, alone = 0;
        for (int trial = 0; trial < 600; trial++)
        {
            double[] baseline = [.. Draws(random, 3)];
            IReadOnlyList<PairedDifference?> corrected = PairedDifference.Corrected([.. Enumerable.Range(0, 8).Select(_ => PairedDifference.Of([.. Draws(random, 3).Zip(baseline)]))]);
            wrong += corrected.Any(d => d!.Verdict is DifferenceVerdict.Lower or DifferenceVerdict.Higher) ? 1 : 0;
            alone += corrected.Any(d => d!.Verdict is not DifferenceVerdict.None) ? 1 : 0;
        }

        Assert.That(wrong / 600.0, Is.LessThanOrEqualTo(0.05));
        Assert.That(alone / 600.0, Is.GreaterThan(0.15), "without correction it would be said far more often");
    }

    [Test]
    public void TheBestIsAmongThoseThatMayBe()
    {
        // 5 variants 0.4 standard deviations apart at 4 seeds: 0 is the best.
        var random = new Random(4);
        int left = 0;
        for (int trial = 0; trial < 300; trial++)
        {
            Dictionary<long, double>[] values = [.. Enumerable.Range(0, 5).Select(i => Draws(random, 4).Select((x, seed) => (Key: (long)seed, Value: x + (0.4 * i))).ToDictionary(p => p.Key, p => p.Value))];
            left += BestSet.Of(values, isLowerBetter: true)[0] == true ? 0 : 1;
        }

        Assert.That(left / 300.0, Is.LessThanOrEqualTo(0.05));
    }

    [Test]
    public void ClearWinnersStandAlone()
    {
        IReadOnlyDictionary<long, double>[] values = [Of(1.0, 1.1, 1.2), Of(2.0, 2.11, 2.19), Of(2.02, 2.1, 2.2), Of(1.4)];
        Assert.That(BestSet.Of(values, isLowerBetter: true), Is.EqualTo(new bool?[] { true, false, false, null }));
        Assert.That(BestSet.Of(values, isLowerBetter: false), Is.EqualTo(new bool?[] { false, true, true, null }));
    }

    /// <summary>Of two variants none is the best where no difference is seen. The same difference at two seeds shows nothing.</summary>
    [TestCase(2.4, 0.0726)]
    [TestCase(1.8, 0.0310)]
    public void NoneIsTheBestWhereNoDifferenceIsSeen(double third, double p)
    {
        IReadOnlyDictionary<long, double> first = Of(0, 0, 0), second = Of(1, 1.2, third);
        PairedDifference difference = PairedDifference.Of([(1, 0), (1.2, 0), (third, 0)])!;
        Assert.That(difference.PValue!.Value, Is.EqualTo(p).Within(5e-5));
        bool isSeen = difference.PValue <= 0.05;
        Assert.That(BestSet.Of([first, second], isLowerBetter: true), Is.EqualTo(new bool?[] { true, !isSeen }));
        Assert.That(BestSet.Of([Of(0.1, 0.2), Of(0.2, 0.3)], isLowerBetter: true), Is.EqualTo(new bool?[] { true, true }));
    }

    private static Dictionary<long, double> Of(params double[] values) => values.Select((x, i) => (i, x)).ToDictionary(p => (long)p.i, p => p.x);

    private static (double T, double Bootstrap) Coverage(int seeds, int trials)
    {
        var random = new Random(2);
        int t = 0, bootstrap = 0;
        for (int i = 0; i < trials; i++)
        {
            double[] baseline = [.. Draws(random, seeds)];
            PairedDifference found = PairedDifference.Of([.. Draws(random, seeds).Zip(baseline, (a, b) => (a + 0.3, b))])!;
            t += found.Interval!.Value.Contains(0.3) ? 1 : 0;
            bootstrap += found.BootstrapInterval!.Value.Contains(0.3) ? 1 : 0;
        }

        return ((double)t / trials, (double)bootstrap / trials);
    }

    // N(0, 1) by Box and Muller.
    private static IEnumerable<double> Draws(Random random, int count)
        => [.. Enumerable.Range(0, count).Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
}
