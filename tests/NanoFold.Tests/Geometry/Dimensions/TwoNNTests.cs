using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Dimensions;

[Parallelizable]
public class TwoNNTests
{
    [Test]
    public void RatiosOfAKnownLawGiveItsExponent()
    {
        const double D = 10;
        double fit = 0;
        double likelihood = 0;
        const int Seeds = 8;
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            GaussianSource random = new(seed);
            double[] ratios = Enumerable.Range(0, 1000).Select(_ => Math.Pow(random.NextUniform(), -1 / D)).ToArray();
            fit += TwoNN.Fit(ratios).Dimension!.Value / Seeds;
            likelihood += TwoNN.MaximumLikelihood(ratios).Dimension!.Value / Seeds;
        }

        Assert.That(fit, Is.EqualTo(9.98).Within(0.34));
        Assert.That(likelihood, Is.EqualTo(9.96).Within(0.31));
    }

    [Test]
    public void FormulasByHand()
    {
        double[] ratios = [Math.Exp(0.3), Math.Exp(0.1), Math.Exp(0.2), Math.Exp(9)];
        double y1 = -Math.Log(0.75);
        double y2 = -Math.Log(0.5);
        double y3 = -Math.Log(0.25);
        double expected = ((0.1 * y1) + (0.2 * y2) + (0.3 * y3)) / 0.14;
        DimensionEstimate fit = TwoNN.Fit(ratios, 0.25);
        DimensionEstimate likelihood = TwoNN.MaximumLikelihood(ratios);
        Assert.Multiple(() =>
        {
            Assert.That(fit.Dimension, Is.EqualTo(expected).Within(1e-12));
            Assert.That(fit.FractionKept, Is.EqualTo(0.75));
            Assert.That(fit.Points, Is.EqualTo(4));
            Assert.That(TwoNN.Fit(ratios, 0).Dimension, Is.EqualTo(expected).Within(1e-12), "the last point has no y");
            Assert.That(likelihood.Dimension, Is.EqualTo(3 / 9.6).Within(1e-12));
            Assert.That(likelihood.StandardError, Is.EqualTo(3 / 9.6 / 2).Within(1e-12));
        });
    }

    [TestCase(10, .1, .9)]
    [TestCase(1000, .02, .98)]
    [TestCase(7, .8, 1.0 / 7)]
    public void FractionKeptIsWhatWasAsked(int n, double discard, double kept)
    {
        double[] ratios = Enumerable.Range(1, n).Select(i => 1 + ((double)i / n)).ToArray();
        Assert.That(TwoNN.Fit(ratios, discard).FractionKept, Is.EqualTo(kept).Within(1e-12));
    }

    // One draw of TwoNN at N = 1000 spreads by about 4.5 %, one of the likelihood over 20 neighbors by 1 %.
    [TestCase(2, 1.99, 2.01)]
    [TestCase(5, 4.89, 5.00)]
    [TestCase(10, 10.5, 10.02)]
    public void PeriodicCubeHasNoBoundaryBias(int d, double twoNN, double mle)
    {
        const int Seeds = 16;
        double first = 0;
        double second = 0;
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            NeighborGraph graph = PeriodicCube(1000, d, 20, seed);
            first += TwoNN.Fit(graph).Dimension!.Value / Seeds;
            second += LevinaBickel.Estimate(graph, 20).Dimension!.Value / Seeds;
        }

        TestContext.Out.WriteLine($"{first:F3} {second:F3}");
        Assert.That(first, Is.EqualTo(d).Within(4).Percent);
        Assert.That(first, Is.EqualTo(twoNN).Within(7).Percent);
        Assert.That(second, Is.EqualTo(mle).Within(1.5).Percent);
    }

    [TestCase(100, 500, 45)]
    [TestCase(100, 2000, 49)]
    [TestCase(300, 500, 81)]
    [TestCase(300, 2000, 96)]
    public void HighDimensionsAreUnderestimatedByAKnownAmount(int d, int n, double expected)
    {
        int draws = n < 1000 ? 8 : 2;
        double mean = Enumerable.Range(1, draws)
            .Average(seed => TwoNN.Fit(NearestNeighbors.Search(Clouds.Gauss(n, d, (ulong)seed), n, d, 2)).Dimension!.Value);
        Assert.That(mean, Is.EqualTo(expected).Within(5).Percent);
    }

    // One draw spreads by 3 %.
    [TestCase(100, 51)]
    [TestCase(300, 100)]
    [Category("Long")]
    public void MorePointsHelpLittle(int d, double expected)
    {
        const int N = 5000, Draws = 3;
        double mean = Enumerable.Range(1, Draws).Average(seed => TwoNN.Fit(NearestNeighbors.Search(Clouds.Gauss(N, d, (ulong)seed), N, d, 2)).Dimension!.Value);
        Assert.That(mean, Is.EqualTo(expected).Within(7).Percent);
    }

    [TestCase(.03, 10.8, 5.9)]
    [TestCase(.1, 39.7, 15.3)]
    public void NoiseFadesWithScale(double noise, double twoNN, double gride)
    {
        float[] x = Clouds.Embed(Clouds.Gauss(1500, 5, 1), 5, 256, noise, 2);
        NeighborGraph graph = NearestNeighbors.Search(x, 1500, 256, 64);
        IReadOnlyList<DimensionEstimate> scan = Gride.ScaleScan(graph);
        TestContext.Out.WriteLine(string.Join(" ", scan.Select(s => $"{s.Dimension:F2}")));
        Assert.That(TwoNN.Fit(graph).Dimension, Is.EqualTo(twoNN).Within(8).Percent);
        Assert.That(scan.Select(s => s.Method.Rank), Is.EqualTo(new[] { 2, 4, 8, 16, 32, 64 }));
        Assert.That(scan[^1].Dimension, Is.EqualTo(gride).Within(5).Percent);
        Assert.That(scan.Select(s => s.Dimension!.Value), Is.Ordered.Descending);
        Assert.That(scan.Select(s => s.MeanDistance!.Value), Is.Ordered.Ascending);
    }

    [Test]
    public void RotationShiftAndScaleDoNotMatter()
    {
        const int D = 10;
        float[] x = Clouds.Gauss(400, D, 5);
        NeighborGraph before = NearestNeighbors.Search(x, 400, D, 20);
        NeighborGraph after = NearestNeighbors.Search(Clouds.Move(x, D, 0.05, 1, 6), 400, D, 20);
        foreach (DimensionMethod method in new[]
            { DimensionMethod.TwoNNFit(), DimensionMethod.TwoNNMaximumLikelihood(), DimensionMethod.Gride(16), DimensionMethod.LevinaBickel() })
        {
            DimensionEstimate a = method.Estimate(before);
            DimensionEstimate b = method.Estimate(after);
            Assert.That(b.Dimension, Is.EqualTo(a.Dimension).Within(0.01).Percent, method.Label);
            Assert.That(b.MeanDistance, Is.EqualTo(a.MeanDistance * 0.05).Within(0.01).Percent, method.Label);
        }
    }

    [Test]
    public void RepeatingEveryPointChangesNothingButTheCount()
    {
        float[] x = Clouds.Gauss(300, 4, 7);
        DimensionEstimate once = TwoNN.Fit(NearestNeighbors.Search(x, 300, 4, 2));
        DimensionEstimate twice = TwoNN.Fit(NearestNeighbors.Search([.. x, .. x], 600, 4, 2));
        Assert.That(twice, Is.EqualTo(once with { DuplicatesDropped = 300 }));
    }

    [Test]
    public void StatusSaysWhyThereIsNoFigure()
    {
        Assert.Multiple(() =>
        {
            Assert.That(TwoNN.Fit([1.5, 2]).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(TwoNN.Fit([1, 1, 1, 1.0]).Status, Is.EqualTo(GeometryStatus.Degenerate));
            Assert.That(TwoNN.Fit([1, 2, double.NaN]).Status, Is.EqualTo(GeometryStatus.NotFinite));
            Assert.That(TwoNN.MaximumLikelihood([1, 1, 1]).Status, Is.EqualTo(GeometryStatus.Degenerate));
            Assert.That(TwoNN.MaximumLikelihood([1, 2, double.PositiveInfinity]).Status, Is.EqualTo(GeometryStatus.NotFinite));
            Assert.That(TwoNN.MaximumLikelihood([1, 2, double.PositiveInfinity]).Dimension, Is.Null);
        });

        Assert.That(() => TwoNN.Fit([0.5, 2, 3]), Throws.ArgumentException);
        Assert.That(() => TwoNN.Fit([2, 2, 3], 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void EveryMethodPassesTheGraphsStatusOn()
    {
        DimensionMethod[] methods =
            [DimensionMethod.TwoNNFit(), DimensionMethod.TwoNNMaximumLikelihood(), DimensionMethod.Gride(4), DimensionMethod.LevinaBickel(3)];
        float[] constant = new float[20];
        float[] broken = Clouds.Gauss(20, 1, 1);
        broken[3] = float.NaN;
        foreach (DimensionMethod method in methods)
        {
            DimensionEstimate zero = method.Estimate(NearestNeighbors.Search(constant, 20, 1, 5));
            Assert.That(zero.Status, Is.EqualTo(GeometryStatus.ZeroVariance), method.Label);
            Assert.That(zero.Dimension, Is.Null);
            Assert.That(zero.DuplicatesDropped, Is.EqualTo(19));
            Assert.That(method.Estimate(NearestNeighbors.Search(broken, 20, 1, 5)).Status, Is.EqualTo(GeometryStatus.NotFinite));
            Assert.That(method.Estimate(NearestNeighbors.Search([1, 2], 2, 1, 5)).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            NeighborGraph one = NearestNeighbors.Search(Clouds.Gauss(20, 2, 1), 20, 2, 1);
            Assert.That(method.Estimate(one).Status, Is.EqualTo(GeometryStatus.TooFewPoints), "one neighbor is not enough");
        }
    }

    private static NeighborGraph PeriodicCube(int n, int d, int k, ulong seed)
    {
        float[] x = Clouds.Cube(n, d, seed);
        int[] neighbors = new int[n * k];
        double[] distances = new double[n * k];
        for (int i = 0; i < n; i++)
        {
            Span<int> near = neighbors.AsSpan(i * k, k);
            Span<double> far = distances.AsSpan(i * k, k);
            far.Fill(double.MaxValue);
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int c = 0; c < d; c++)
                {
                    double difference = Math.Abs((double)x[(i * d) + c] - x[(j * d) + c]);
                    difference = Math.Min(difference, 1 - difference);
                    sum += difference * difference;
                }

                if (j == i || sum >= far[^1])
                {
                    continue;
                }

                int at = k - 1;
                for (; at > 0 && far[at - 1] > sum; at--)
                {
                    far[at] = far[at - 1];
                    near[at] = near[at - 1];
                }

                far[at] = sum;
                near[at] = j;
            }

            foreach (ref double distance in far)
            {
                distance = Math.Sqrt(distance);
            }
        }

        return NeighborGraph.FromDistances(neighbors, distances, k);
    }
}
