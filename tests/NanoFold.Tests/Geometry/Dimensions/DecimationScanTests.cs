using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Dimensions;

public class DecimationScanTests
{
    [Test]
    public void LevelsHalveAndTheFirstIsTheWhole()
    {
        float[] x = Clouds.Cube(500, 2, 1);
        DimensionMethod method = DimensionMethod.TwoNNFit();
        IReadOnlyList<DecimationLevel> scan = DecimationScan.Run(x, 500, 2, method);
        DimensionEstimate whole = method.Estimate(NearestNeighbors.Search(x, 500, 2, 2));
        Assert.Multiple(() =>
        {
            Assert.That(scan.Select(s => s.Points), Is.EqualTo(new[] { 500, 250, 125 }));
            Assert.That(scan.Select(s => s.Subsets), Is.EqualTo(new[] { 1, 2, 4 }));
            Assert.That(scan[0].Dimension, Is.EqualTo(whole.Dimension).Within(1e-9));
            Assert.That(scan[0].StandardDeviation, Is.Null);
            Assert.That(scan.Select(s => s.MeanDistance!.Value), Is.Ordered.Ascending);
            Assert.That(scan.Select(s => s.Dimension!.Value), Is.All.EqualTo(2).Within(0.25));
        });
    }

    [Test]
    public void SameSeedSameFigures()
    {
        float[] x = Clouds.Gauss(300, 5, 2);
        IReadOnlyList<DecimationLevel> first = DecimationScan.Run(x, 300, 5, DimensionMethod.TwoNNFit(), seed: 7);
        Assert.That(DecimationScan.Run(x, 300, 5, DimensionMethod.TwoNNFit(), seed: 7), Is.EqualTo(first));
        Assert.That(DecimationScan.Run(x, 300, 5, DimensionMethod.TwoNNFit(), seed: 8), Is.Not.EqualTo(first));
    }

    [Test]
    public void TheCurveFallsUnderNoise()
    {
        float[] x = Clouds.Embed(Clouds.Cube(2000, 2, 3), 2, 20, 0.01, 4);
        IReadOnlyList<DecimationLevel> scan = DecimationScan.Run(x, 2000, 20, DimensionMethod.TwoNNFit());
        Assert.That(scan[^1].Dimension, Is.LessThan(0.5 * scan[0].Dimension!.Value));
    }

    [Test]
    public void StatusSaysWhy()
    {
        DimensionMethod method = DimensionMethod.TwoNNFit();
        Assert.That(DecimationScan.Run(new float[200], 200, 1, method)[0].Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(DecimationScan.Run(new float[200], 200, 1, method)[0].Dimension, Is.Null);
        Assert.That(DecimationScan.Run([], 0, 1, method).Single().Status, Is.EqualTo(GeometryStatus.TooFewPoints));
    }
}
