using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Geometry.Neighbors;

public class NearestNeighborsTests
{
    [TestCase(3, 1, 2)]
    [TestCase(40, 2, 5)]
    [TestCase(100, 17, 64)]
    [TestCase(257, 64, 20)]
    public void AgreesWithBruteForce(int n, int d, int k)
    {
        float[] x = Clouds.Gauss(n, d, 1);
        AssertExact(x, n, d, k, NearestNeighbors.Search(x, n, d, k));
    }

    /// <summary>Scores in single precision find the same bits: far from the origin, in clusters far apart, and beyond what single precision holds.</summary>
    [TestCase(0, 0, 1)]
    [TestCase(1e5f, 0, 1)]
    [TestCase(0, 300, 1)]
    [TestCase(0, 0, 1e20f)]
    public void ByTheEnginesProductTheyAreTheSame(float mean, float apart, float scale)
    {
        const int N = 400, D = 40;
        float[] x = Clouds.Gauss(N, D, 5);
        for (int i = 0; i < x.Length; i++)
        {
            // Every other row lies elsewhere.
            x[i] = scale * (x[i] + mean + (i / D % 2 * apart));
        }

        using var backend = new CpuBackend(2);
        NeighborGraph own = NearestNeighbors.Search(x, N, D, 12), engine = NearestNeighbors.Search(x, N, D, 12, backend);
        Assert.That(engine.AllNeighbors.ToArray(), Is.EqualTo(own.AllNeighbors.ToArray()));
        Assert.That(engine.AllDistances.ToArray(), Is.EqualTo(own.AllDistances.ToArray()));
        AssertExact(x, N, D, 12, engine);
    }

    /// <summary>Of rows that are as far the first ones are taken, also where a nearer one comes after them.</summary>
    [Test]
    public void TheNeighborsOfOnePointTakeTheLowerOfRowsAsFar()
    {
        float[] x = [5, -5, 1, 0, 5, 1];
        Assert.That(NearestNeighbors.Of([0], x, 1, 2), Is.EqualTo(new[] { 3, 2 }));
        Assert.That(NearestNeighbors.Of([0], x, 1, 4), Is.EqualTo(new[] { 3, 2, 5, 0 }));
        Assert.That(NearestNeighbors.Of([0], x, 1, 4, others: true), Is.EqualTo(new[] { 2, 5, 0, 1 }));
        Assert.That(NearestNeighbors.Of([0], x, 1, 9, others: true), Is.EqualTo(new[] { 2, 5, 0, 1, 4 }));
    }

    [TestCase(1000)]
    [TestCase(1e6f)]
    public void ALargeMeanDoesNotBlurDistances(float mean)
    {
        float[] x = Clouds.Gauss(200, 8, 2);
        for (int i = 0; i < x.Length; i += 8)
        {
            x[i] += mean;
        }

        AssertExact(x, 200, 8, 10, NearestNeighbors.Search(x, 200, 8, 10));
    }

    [TestCase(1e-30f)]
    [TestCase(1e30f)]
    public void ExtremeScalesNeitherOverflowNorVanish(float scale)
    {
        float[] x = Clouds.Gauss(100, 5, 3);
        for (int i = 0; i < x.Length; i++)
        {
            x[i] *= scale;
        }

        NeighborGraph graph = NearestNeighbors.Search(x, 100, 5, 4);
        AssertExact(x, 100, 5, 4, graph);
        Assert.That(TwoNN.Fit(graph).Status, Is.EqualTo(GeometryStatus.Ok));
    }

    [Test]
    public void PairsMuchCloserThanTheCloudIsWideAreFound()
    {
        float[] x = Clouds.Gauss(120, 6, 4);
        for (int i = 60; i < 120; i++)
        {
            for (int c = 0; c < 6; c++)
            {
                x[(i * 6) + c] = MathF.BitIncrement(x[((i - 60) * 6) + c]); // one float step from its twin
            }
        }

        NeighborGraph graph = NearestNeighbors.Search(x, 120, 6, 3);
        Assert.That(graph.DuplicatesDropped, Is.Zero);
        AssertExact(x, 120, 6, 3, graph);
    }

    [Test]
    public void TiesOnALatticeGoToTheLowerRow()
    {
        float[] x = new float[10 * 10 * 10 * 3];
        for (int i = 0; i < 1000; i++)
        {
            x[3 * i] = i % 10;
            x[(3 * i) + 1] = i / 10 % 10;
            x[(3 * i) + 2] = i / 100;
        }

        AssertExact(x, 1000, 3, 4, NearestNeighbors.Search(x, 1000, 3, 4));
    }

    [Test]
    public void DuplicatesAreDroppedAndRowNumbersKept()
    {
        float[] x = [0, 0, 5, 5, -0f, 0, 1, 0, 5, 5, 0, 3];
        NeighborGraph graph = NearestNeighbors.Search(x, 6, 2, 2);
        Assert.Multiple(() =>
        {
            Assert.That(graph.Status, Is.EqualTo(GeometryStatus.Ok));
            Assert.That(graph.Rows.ToArray(), Is.EqualTo(new[] { 0, 1, 3, 5 }));
            Assert.That(graph.Count, Is.EqualTo(4));
            Assert.That(graph.TotalRows, Is.EqualTo(6));
            Assert.That(graph.DuplicatesDropped, Is.EqualTo(2));
            Assert.That(graph.Neighbors(0).ToArray(), Is.EqualTo(new[] { 3, 5 }));
            Assert.That(graph.Distances(0).ToArray(), Is.EqualTo(new[] { 1.0, 3 }));
            Assert.That(graph.Neighbors(3).ToArray(), Is.EqualTo(new[] { 0, 3 }));
        });
    }

    [Test]
    public void NeighborsAreCutToWhatThereIs()
    {
        NeighborGraph graph = NearestNeighbors.Search(Clouds.Gauss(5, 2, 1), 5, 2, 64);
        Assert.That(graph.K, Is.EqualTo(4));
        Assert.That(Gride.Estimate(graph, 8).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
    }

    [Test]
    public void StatusSaysWhyThereIsNoGraph()
    {
        Assert.Multiple(() =>
        {
            Assert.That(NearestNeighbors.Search([], 0, 2, 2).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(NearestNeighbors.Search([1, 2, 3, 4], 2, 2, 2).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(NearestNeighbors.Search([1, 2, 1, 2, 3], 5, 1, 2).Status, Is.EqualTo(GeometryStatus.Ok));
            Assert.That(NearestNeighbors.Search([1, 2, 1, 2, 1], 5, 1, 2).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(NearestNeighbors.Search([7, 7, 7, 7, 7], 5, 1, 2).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
            Assert.That(NearestNeighbors.Search([1, 2, float.NaN, 4], 4, 1, 2).Status, Is.EqualTo(GeometryStatus.NotFinite));
            Assert.That(NearestNeighbors.Search([1, 2, float.NegativeInfinity], 3, 1, 2).Status, Is.EqualTo(GeometryStatus.NotFinite));
        });
    }

    [Test]
    public void WrongShapesAreRefused()
    {
        Assert.That(() => NearestNeighbors.Search(new float[7], 2, 3, 1), Throws.ArgumentException);
        Assert.That(() => NearestNeighbors.Search(new float[6], 2, 3, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => NeighborGraph.FromDistances([1, 0, 0], [1, 1, 0], 1), Throws.ArgumentException);
        Assert.That(() => NeighborGraph.FromDistances([1, 2, 0, 2, 0, 1], [2, 1, 1, 2, 1, 2], 2), Throws.ArgumentException);
        Assert.That(() => NeighborGraph.FromDistances([1, 3, 0], [1, 1, 1], 1), Throws.ArgumentException);
        Assert.That(() => NeighborGraph.FromDistances([1, 0, 2], [1, 1, 1], 1), Throws.ArgumentException);
        Assert.That(() => NeighborGraph.FromDistances([1, 0, 0], [1, 1, double.NaN], 1), Throws.ArgumentException);
    }

    private static void AssertExact(float[] x, int n, int d, int k, NeighborGraph graph)
    {
        Assert.That(graph.Status, Is.EqualTo(GeometryStatus.Ok));
        Assert.That(graph.K, Is.EqualTo(k));
        for (int i = 0; i < n; i++)
        {
            (double Square, int Row)[] all = Enumerable.Range(0, n).Where(j => j != i)
                .Select(j => (Square(x, d, i, j), j)).Order().Take(k).ToArray();
            Assert.That(graph.Neighbors(i).ToArray(), Is.EqualTo(all.Select(a => a.Row)), $"point {i}");
            for (int j = 0; j < k; j++)
            {
                Assert.That(graph.Distances(i)[j], Is.EqualTo(Math.Sqrt(all[j].Square)).Within(1e-12).Percent);
            }
        }
    }

    private static double Square(float[] x, int d, int i, int j)
    {
        double sum = 0;
        for (int c = 0; c < d; c++)
        {
            double difference = (double)x[(i * d) + c] - x[(j * d) + c];
            sum += difference * difference;
        }

        return sum;
    }
}
