using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;

namespace NanoFold.Tests.Benchmarks;

public class SampleStatisticsTests
{
    [Test]
    public void MedianIsTheMiddle()
    {
        Assert.That(SampleStatistics.Median([3, 1, 2]), Is.EqualTo(2));
        Assert.That(SampleStatistics.Median([4, 1, 2, 3]), Is.EqualTo(2.5));
    }

    // The ranks of published tables of distribution-free confidence limits of the median.
    [TestCase(5, 1)]
    [TestCase(6, 1)]
    [TestCase(9, 2)]
    [TestCase(11, 2)]
    [TestCase(12, 3)]
    [TestCase(20, 6)]
    [TestCase(40, 14)]
    public void IntervalTakesTheRanksOfTheBinomial(int count, int rank)
    {
        double[] samples = [.. Enumerable.Range(1, count).Select(i => (double)i).Reverse()];
        Assert.That(SampleStatistics.MedianInterval(samples), Is.EqualTo(((double)rank, (double)(count + 1 - rank))));
    }

    [Test]
    public void RatioOfEqualSamplesHoldsOne()
    {
        double[] samples = Noisy(1, 60, seed: 1);
        (double ratio, double low, double high) = SampleStatistics.MedianRatio(samples, samples);
        Assert.That(ratio, Is.EqualTo(1));
        Assert.That(low, Is.LessThan(1));
        Assert.That(high, Is.GreaterThan(1));
    }

    [Test]
    public void RatioFindsWhatIsTwiceAsLong()
    {
        (double ratio, double low, double high) = SampleStatistics.MedianRatio(Noisy(2, 60, seed: 2), Noisy(1, 50, seed: 3));
        Assert.That(ratio, Is.EqualTo(2).Within(0.1));
        Assert.That(low, Is.GreaterThan(1.8).And.LessThan(ratio));
        Assert.That(high, Is.LessThan(2.2).And.GreaterThan(ratio));
    }

    [TestCase(0.8, 1, "faster")]
    [TestCase(1.2, 1, "slower")]
    [TestCase(1, 1, "no difference")]
    [TestCase(0.8, 0.7, "no difference", Description = "The whole machine was faster")]
    [TestCase(1.2, 1.3, "no difference", Description = "The whole machine was slower")]
    [TestCase(0.6, 0.8, "faster")]
    public void VerdictIsNotTheMachines(double factor, double machine, string verdict)
    {
        // What one session shows has to be plainer than what several do.
        foreach ((int sessions, int power) in new[] { (4, 1), (1, 4) })
        {
            double times = Math.Pow(factor, power);
            KernelSamples[] then = [.. Enumerable.Range(0, sessions).Select(i => new KernelSamples("a", "forward", Noisy(1, 40, seed: 4 + i), [1]))];
            KernelSamples[] now = [.. then.Select(t => t with { SamplesMs = [.. t.SamplesMs.Select(ms => times * ms)], YardstickMs = [Math.Pow(machine, power)] })];
            KernelComparison comparison = KernelComparison.Of(now, then);
            Assert.That((comparison.Verdict, comparison.Sessions), Is.EqualTo((verdict, sessions)));
            Assert.That(comparison.Ratio, Is.EqualTo(times).Within(1e-9).And.InRange(comparison.Low, comparison.High));
        }
    }

    // Samples of a session are close together, sessions are not: one in five is disturbed and takes up to three times as long for half of its time.
    [TestCase(1, 0.01)]
    [TestCase(2, 0.01)]
    [TestCase(3, 0.05)]
    [TestCase(5, 0.05)]
    [TestCase(10, 0.05)]
    public void ABuildIsNeitherFasterNorSlowerThanItself(int sessions, double share)
    {
        // With few sessions samples are drawn again and again, which takes its time.
        int rounds = sessions < KernelComparison.FewestSessions ? 25 : 100;
        var random = new Random(sessions);
        int verdicts = Enumerable.Range(0, rounds).Count(_ => KernelComparison.Of(Sessions(), Sessions()).Verdict != "no difference");
        Assert.That(verdicts, Is.LessThanOrEqualTo(share * rounds));

        KernelSamples[] Sessions() => [.. Enumerable.Range(0, sessions).Select(_ =>
        {
            double session = 1 + 0.06 * random.NextDouble(), burst = random.NextDouble() < 0.2 ? 1 + 2 * random.NextDouble() : 1;
            return new KernelSamples("a", "forward", [.. Enumerable.Range(0, 40).Select(i => session * (i < 18 ? burst : 1) * (0.99 + 0.02 * random.NextDouble()))], [1]);
        })];
    }

    [Test]
    public void SeveralSessionsFindASmallerDifferenceThanOne()
    {
        static KernelSamples[] Sessions(double centre, int seed) =>
            [.. Enumerable.Range(0, 5).Select(i => new KernelSamples("a", "forward", Noisy(centre * (1 + 0.004 * i), 40, seed + i), [1]))];
        KernelSamples[] now = Sessions(0.95, 10), then = Sessions(1, 20);
        Assert.That(KernelComparison.Of(now, then).Verdict, Is.EqualTo("faster"));
        Assert.That(KernelComparison.Of(now[..1], then).Verdict, Is.EqualTo("no difference"));
    }

    private static double[] Noisy(double centre, int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => centre * (0.95 + 0.1 * random.NextDouble()))];
    }
}
