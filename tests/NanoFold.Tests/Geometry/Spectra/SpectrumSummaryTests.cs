using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Spectra;

public class SpectrumSummaryTests
{
    [Test]
    public void SingularValuesTwoAndOne()
    {
        SpectrumSummary s = SpectrumSummary.FromEigenvalues([4, 1], 100);
        Assert.Multiple(() =>
        {
            Assert.That(s.Status, Is.EqualTo(GeometryStatus.Ok));
            Assert.That(s.ErankSv, Is.EqualTo(1.8899).Within(5e-5));
            Assert.That(s.ErankEig, Is.EqualTo(1.6494).Within(5e-5));
            Assert.That(s.ParticipationRatio, Is.EqualTo(1.4706).Within(5e-5));
            Assert.That(s.StableRank, Is.EqualTo(1.25).Within(1e-12));
            Assert.That(s.FirstShare, Is.EqualTo(0.8).Within(1e-12));
            Assert.That(s.IsoScore, Is.EqualTo(0.4706).Within(5e-5));
            Assert.That(s.TotalVariance, Is.EqualTo(5).Within(1e-12));
        });
    }

    [TestCase(1, 8)]
    [TestCase(5, 8)]
    [TestCase(8, 8)]
    public void EqualEigenvaluesGiveTheirNumber(int k, int d)
    {
        double[] values = new double[d];
        values.AsSpan(0, k).Fill(1e-20);
        values.AsSpan(k).Fill(-1e-40); // what rounding leaves of a zero
        SpectrumSummary s = SpectrumSummary.FromEigenvalues(values, 100);
        Assert.Multiple(() =>
        {
            Assert.That(s.ErankSv, Is.EqualTo(k).Within(1e-12));
            Assert.That(s.ErankEig, Is.EqualTo(k).Within(1e-12));
            Assert.That(s.ParticipationRatio, Is.EqualTo(k).Within(1e-12));
            Assert.That(s.StableRank, Is.EqualTo(k).Within(1e-12));
            Assert.That(s.IsoScore, Is.EqualTo((k - 1.0) / (d - 1)).Within(1e-12));
        });
    }

    [TestCase(500, 64)]
    [TestCase(200, 100)]
    public void GaussianParticipationRatio(int n, int d)
    {
        StreamingMoments moments = new(d);
        moments.Add(Clouds.Gauss(n, d, 1), n);
        double expected = (n - 1.0) * d / (n + d);
        Assert.That(moments.Summarize().ParticipationRatio, Is.EqualTo(expected).Within(1).Percent);
    }

    [Test]
    public void RotationShiftAndScaleDoNotMatter()
    {
        const int N = 300;
        const int D = 12;
        float[] x = Clouds.Gauss(N, D, 3);
        for (int i = 0; i < x.Length; i++)
        {
            x[i] *= 1 + (i % D);
        }

        SpectrumSummary before = Measure(x);
        SpectrumSummary after = Measure(Clouds.Move(x, D, 0.01, 3, 4));
        Assert.Multiple(() =>
        {
            Assert.That(after.ParticipationRatio, Is.EqualTo(before.ParticipationRatio).Within(1e-4));
            Assert.That(after.ErankSv, Is.EqualTo(before.ErankSv).Within(1e-4));
            Assert.That(after.ErankEig, Is.EqualTo(before.ErankEig).Within(1e-4));
            Assert.That(after.StableRank, Is.EqualTo(before.StableRank).Within(1e-4));
            Assert.That(after.TotalVariance, Is.EqualTo(before.TotalVariance * 1e-4).Within(1e-4).Percent);
        });

        static SpectrumSummary Measure(float[] rows)
        {
            StreamingMoments moments = new(D);
            moments.Add(rows, N);
            return moments.Summarize();
        }
    }

    [Test]
    public void StatusSaysWhy()
    {
        Assert.Multiple(() =>
        {
            Assert.That(SpectrumSummary.FromEigenvalues([0, -1e-30], 10).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
            Assert.That(SpectrumSummary.FromEigenvalues([1, 2], 1).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(SpectrumSummary.FromEigenvalues([1, double.NaN], 9).Status, Is.EqualTo(GeometryStatus.NotFinite));
            Assert.That(SpectrumSummary.FromEigenvalues([1], 9).IsoScore, Is.Null);
        });
    }
}
