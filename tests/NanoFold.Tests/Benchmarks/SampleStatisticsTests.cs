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
        var then = new KernelSamples("a", "forward", Noisy(1, 40, seed: 4), [1]);
        var now = new KernelSamples("a", "forward", [.. then.SamplesMs.Select(ms => factor * ms)], [machine]);
        Assert.That(KernelComparison.Of(now, then).Verdict, Is.EqualTo(verdict));
    }

    private static double[] Noisy(double centre, int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => centre * (0.95 + 0.1 * random.NextDouble()))];
    }
}
