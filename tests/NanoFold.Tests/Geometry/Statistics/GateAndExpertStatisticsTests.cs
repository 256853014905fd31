using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Statistics;

public class GateAndExpertStatisticsTests
{
    [Test]
    public void GatesMeanAndClosedShare()
    {
        GateStatistics gates = GateStatistics.Measure([0, 0.05f, 0.1f, 0.85f]);
        Assert.That(gates.Status, Is.EqualTo(GeometryStatus.Ok));
        Assert.That(gates.Count, Is.EqualTo(4));
        Assert.That(gates.Mean, Is.EqualTo(0.25).Within(1e-7));
        Assert.That(gates.ClosedShare, Is.EqualTo(0.5));
        Assert.That(GateStatistics.Measure([0.2f, 0.4f], 0.3f).ClosedShare, Is.EqualTo(0.5));
    }

    [Test]
    public void GatesWithoutAFigureSayWhy()
    {
        Assert.That(GateStatistics.Measure([]).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(GateStatistics.Measure([1, float.NaN]).Status, Is.EqualTo(GeometryStatus.NotFinite));
        Assert.That(GateStatistics.Measure([1, float.NaN]).Mean, Is.Null);
    }

    [Test]
    public void EvenAndSingleExpertLoads()
    {
        ExpertStatistics even = ExpertStatistics.Measure([7, 7, 7, 7]);
        ExpertStatistics single = ExpertStatistics.Measure([0, 0, 3, 0]);
        Assert.Multiple(() =>
        {
            Assert.That(even.EntropyShare, Is.EqualTo(1).Within(1e-12));
            Assert.That(even.LargestOverMean, Is.EqualTo(1).Within(1e-12));
            Assert.That(even.Load, Is.All.EqualTo(0.25));
            Assert.That(even.Idle, Is.Zero);
            Assert.That(single.EntropyShare, Is.Zero);
            Assert.That(single.LargestOverMean, Is.EqualTo(4));
            Assert.That(single.Load, Is.EqualTo(new double[] { 0, 0, 1, 0 }));
            Assert.That(single.Idle, Is.EqualTo(3));
            Assert.That(single.Total, Is.EqualTo(3));
        });
    }

    [Test]
    public void LoadEntropyByHand() =>
        Assert.That(
            ExpertStatistics.Measure([3, 1]).EntropyShare,
            Is.EqualTo(-((0.75 * Math.Log(0.75)) + (0.25 * Math.Log(0.25))) / Math.Log(2)).Within(1e-12));

    [Test]
    public void CountsAndSharesAreTheSame()
    {
        ExpertStatistics counts = ExpertStatistics.Measure([6, 2, 0, 8]), shares = ExpertStatistics.Measure([0.375, 0.125, 0, 0.5]);
        Assert.That(shares.Load, Is.EqualTo(counts.Load));
        Assert.That((shares.EntropyShare, shares.LargestOverMean, shares.Idle), Is.EqualTo((counts.EntropyShare, (double?)2, 1)));
    }

    [Test]
    public void ExpertsWithoutAFigureSayWhy()
    {
        Assert.That(ExpertStatistics.Measure([0, 0]).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(ExpertStatistics.Measure([0, 0]).EntropyShare, Is.Null);
        Assert.That(ExpertStatistics.Measure([5]).EntropyShare, Is.Null);
        Assert.That(ExpertStatistics.Measure([1, double.NaN]).Status, Is.EqualTo(GeometryStatus.NotFinite));
        Assert.That(() => ExpertStatistics.Measure([-1]), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => ExpertStatistics.Measure([]), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
