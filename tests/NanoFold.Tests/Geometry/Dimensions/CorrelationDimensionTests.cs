using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Dimensions;

[Parallelizable]
public class CorrelationDimensionTests
{
    [Test]
    public void GrowthOfPairsByHand()
    {
        // Points 0 … 9 of a line: neighbor 2 is 1 off for 8 of them and 2 for the ends, neighbor 4 is 2 off for 6, 3 for 2, 4 for 2: medians 1 and 2.
        float[] line = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        NeighborGraph graph = NearestNeighbors.Search(line, 10, 1, 4);
        Assert.That(CorrelationDimension.Estimate(graph, line, 1, 4).Status, Is.EqualTo(GeometryStatus.Degenerate), "no pair is nearer than 1");
        float[] apart = [0, 1, 2.5f, 4, 5];
        // Neighbor 1: 1, 1, 1.5, 1, 1; neighbor 2: 2.5, 1.5, 1.5, 1.5, 2.5. Pairs nearer than 1: none.
        graph = NearestNeighbors.Search(apart, 5, 1, 2);
        Assert.That(CorrelationDimension.Estimate(graph, apart, 1, 2).Status, Is.EqualTo(GeometryStatus.Degenerate));

        // Neighbor 1: 1, 1, 2.5, 4, 4, 6, median 3.25; neighbor 2: 3.5, 2.5, 3.5, 6.5, 6, 10, median 4.75. Two pairs are nearer than the first, four than the second.
        float[] spread = [0, 1, 3.5f, 10, 14, 20];
        graph = NearestNeighbors.Search(spread, 6, 1, 2);
        Assert.That(CorrelationDimension.Estimate(graph, spread, 1, 2).Dimension, Is.EqualTo(Math.Log(2) / Math.Log(4.75 / 3.25)).Within(1e-12));
    }

    [Test]
    public void ARadiusThatIsAPairsDistanceLeavesThisPairOut()
    {
        // Of an odd number of points the median is one of the distances.
        const int N = 201, D = 7;
        float[] points = Clouds.Gauss(N, D, 5);
        double[] pairs = PairDistances.Of(points, N, D).Values.ToArray();
        NeighborGraph graph = NearestNeighbors.Search(points, N, D, 20);
        double Radius(int rank) => Enumerable.Range(0, N).Select(i => graph.Distances(i)[rank - 1]).Order().ElementAt(N / 2);
        (double near, double far) = (Radius(10), Radius(20));
        Assert.That(pairs, Does.Contain(near).And.Contain(far));
        double expected = Math.Log((double)pairs.Count(pair => pair < far) / pairs.Count(pair => pair < near)) / Math.Log(far / near);
        Assert.That(CorrelationDimension.Estimate(graph, points, D).Dimension, Is.EqualTo(expected).Within(1e-12));
    }

    [TestCase("helix", 1, 3)]
    [TestCase("swiss roll", 2, 5)]
    [TestCase("sphere 5", 5, 5)]
    public void ManifoldsHaveTheirDimension(string name, double dimension, double percent)
    {
        const int N = 1500;
        (float[] points, int d) = name switch
        {
            "helix" => (Clouds.Helix(N, 1), 3),
            "swiss roll" => (Clouds.SwissRoll(N, 1), 3),
            _ => (Clouds.Sphere(N, 5, 1), 6),
        };
        DimensionEstimate estimate = DimensionMethod.Correlation().Estimate(NearestNeighbors.Search(points, N, d, 20), points, d);
        Assert.That(estimate.Dimension, Is.EqualTo(dimension).Within(percent).Percent);
        Assert.That((estimate.Method.Label, estimate.Points), Is.EqualTo(("correlation 10-20", N)));
    }

    [Test]
    public void AGaussianIsCalibratedToItsDimension()
    {
        const int N = 800, D = 12;
        float[] points = Clouds.Gauss(N, D, 3);
        DimensionEstimate estimate = DimensionMethod.Correlation().Estimate(NearestNeighbors.Search(points, N, D, 20), points, D);
        Assert.That(GaussianCalibration.Calibrate(estimate, 40).GaussianDimension, Is.EqualTo(D).Within(12).Percent);
        Assert.That(() => DimensionMethod.Correlation().Estimate(NearestNeighbors.Search(points, N, D, 20)), Throws.InvalidOperationException);
    }

    // Two standard deviations of a draw.
    [TestCase(64, 9.53, .78)]
    [TestCase(0, 9.89, .58)]
    public void AProjectionToManyDimensionsKeepsTheDimension(int m, double expected, double within)
    {
        // Gauss 10 in 512, projected by a random matrix to m.
        const int N = 1000, D = 10, Wide = 512;
        float[] points = Clouds.Embed(Clouds.Gauss(N, D, 1), D, Wide, 0, 2);
        int width = m == 0 ? Wide : m;
        float[] seen = m == 0 ? points : Project(points, Wide, m);
        Assert.That(TwoNN.Fit(NearestNeighbors.Search(seen, N, width, 2)).Dimension, Is.EqualTo(expected).Within(within));
    }

    [Test]
    public void AProjectionToFewDoesNot()
    {
        double mean = 0;
        for (ulong seed = 1; seed <= 3; seed++)
        {
            float[] seen = Project(Clouds.Gauss(1000, 10, seed), 10, 16);
            mean += TwoNN.Fit(NearestNeighbors.Search(seen, 1000, 16, 2)).Dimension!.Value / 3;
        }

        Assert.That(mean, Is.InRange(8, 9.3));
    }

    [Test]
    public void OneLargeMeanDoesNotMoveDistances()
    {
        // A mean of 1000 in one coordinate costs 6e-3 of d² in float32 products that are not centered.
        const int N = 300, D = 32;
        float[] points = Clouds.Gauss(N, D, 1), moved = [.. points.Select((v, i) => i % D == 0 ? v + 1000 : v)];
        double[] a = PairDistances.Of(moved, N, D).Values.ToArray();
        NeighborGraph graph = NearestNeighbors.Search(moved, N, D, 1);
        for (int i = 0; i < N; i++)
        {
            double nearest = Enumerable.Range(0, N).Where(j => j != i).Min(j => PairDistance(moved, D, i, j));
            Assert.That(graph.Distances(i)[0], Is.EqualTo(nearest).Within(1e-10).Percent);
        }

        Assert.That(a[0], Is.EqualTo(PairDistance(moved, D, 0, 1)).Within(1e-10).Percent);
    }

    private static double PairDistance(float[] x, int d, int i, int j) =>
        Math.Sqrt(Enumerable.Range(0, d).Sum(c => ((double)x[(i * d) + c] - x[(j * d) + c]) * ((double)x[(i * d) + c] - x[(j * d) + c])));

    private static float[] Project(float[] points, int d, int m)
    {
        float[] matrix = Clouds.Gauss(d, m, 9);
        int n = points.Length / d;
        var seen = new float[n * m];
        for (int i = 0; i < n; i++)
        {
            for (int c = 0; c < d; c++)
            {
                float value = points[(i * d) + c];
                for (int j = 0; j < m && value != 0; j++)
                {
                    seen[(i * m) + j] += value * matrix[(c * m) + j];
                }
            }
        }

        return seen;
    }
}
