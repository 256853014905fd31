using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Statistics;

[Parallelizable]
public class RankAndOutlierTests
{
    [Test]
    public void RankCorrelationByHand()
    {
        Assert.That(RankCorrelation.Ranks([3, 1, 3, 0]), Is.EqualTo(new[] { 2.5, 1, 2.5, 0 }));
        Assert.That(RankCorrelation.Spearman([1, 2, 3, 4], [1, 8, 27, 64]), Is.EqualTo(1).Within(1e-12));
        Assert.That(RankCorrelation.Spearman([1, 2, 3, 4], [9, 4, 2, 1]), Is.EqualTo(-1).Within(1e-12));
        // 1 − 6 Σd²/(n(n² − 1)) = 1 − 6 · 4/(5 · 24).
        Assert.That(RankCorrelation.Spearman([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]), Is.EqualTo(0.8).Within(1e-12));
        Assert.That(RankCorrelation.Spearman([1, 1], [1, 2]), Is.Null);
        Assert.That(RankCorrelation.Spearman([1, double.NaN], [1, 2]), Is.Null);
    }

    [Test]
    public void ADimensionFarOutIsFound()
    {
        const int N = 400, D = 64;
        float[] x = Clouds.Gauss(N, D, 1);
        for (int i = 0; i < N; i++)
        {
            x[(i * D) + 3] += 50;
            x[(i * D) + 7] *= 20;
        }

        var moments = new StreamingMoments(D);
        moments.Add(x, N);
        OutlierDimensions outliers = OutlierDimensions.Measure(moments);
        Assert.That(outliers.Means, Is.EqualTo(new[] { 3 }));
        Assert.That(outliers.Variances, Is.EqualTo(new[] { 7 }));
        Assert.That(outliers.All, Is.EqualTo(new[] { 3, 7 }));
        Assert.That(outliers.FarthestMean, Is.EqualTo(Math.Sqrt(D - 1)).Within(5).Percent, "as far as one of D can be");
        Assert.That(outliers.VarianceShare, Is.EqualTo(401 / (400 + D - 1.0)).Within(3).Percent);

        moments.Clear();
        moments.Add(Clouds.Gauss(N, D, 2), N);
        Assert.That(OutlierDimensions.Measure(moments).All, Is.Empty);
        moments.Clear();
        Assert.That(OutlierDimensions.Measure(moments).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
    }
}
