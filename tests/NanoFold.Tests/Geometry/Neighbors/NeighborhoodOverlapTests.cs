using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Neighbors;

public class NeighborhoodOverlapTests
{
    [Test]
    public void IdenticalIsOneAndIndependentIsChance()
    {
        const int N = 500;
        const int K = 20;
        NeighborGraph a = NearestNeighbors.Search(Clouds.Gauss(N, 5, 1), N, 5, 30);
        NeighborGraph b = NearestNeighbors.Search(Clouds.Gauss(N, 5, 2), N, 5, K);
        Assert.That(NeighborhoodOverlap.Between(a, a, K).Overlap, Is.EqualTo(1));
        NeighborhoodOverlap chance = NeighborhoodOverlap.Between(a, b, K);
        Assert.That(chance.Chance, Is.EqualTo((double)K / (N - 1)));
        Assert.That(chance.Overlap, Is.EqualTo(chance.Chance).Within(10).Percent);
        Assert.That(chance.Points, Is.EqualTo(N));
    }

    [Test]
    public void OverlapByHand()
    {
        NeighborGraph a = NearestNeighbors.Search([0, 1, 3, 7], 4, 1, 1); // 1 0 1 2
        NeighborGraph b = NearestNeighbors.Search([0, 5, 6, 1], 4, 1, 1); // 3 2 1 0
        Assert.That(NeighborhoodOverlap.Between(a, b, 1).Overlap, Is.EqualTo(0.25));
    }

    [Test]
    public void OnlyRowsInBothGraphsCount()
    {
        NeighborGraph a = NearestNeighbors.Search([0, 0, 1, 3, 7], 5, 1, 1);
        NeighborGraph b = NearestNeighbors.Search([0, 9, 1, 3, 7], 5, 1, 1);
        NeighborhoodOverlap overlap = NeighborhoodOverlap.Between(a, b, 1);
        Assert.That(overlap.Points, Is.EqualTo(4));
        Assert.That(overlap.Overlap, Is.EqualTo(0.75)); // 7 is nearest to 3, then to 9
    }

    [Test]
    public void LabelsOfTwoClusters()
    {
        const int N = 100;
        float[] x = Clouds.Gauss(N, 3, 3);
        int[] labels = new int[N];
        for (int i = 0; i < N; i += 2)
        {
            x[3 * i] += 100;
            labels[i] = 1;
        }

        NeighborGraph graph = NearestNeighbors.Search(x, N, 3, 10);
        NeighborhoodOverlap split = NeighborhoodOverlap.WithLabels(graph, labels, 10);
        Assert.That(split.Overlap, Is.EqualTo(1));
        Assert.That(split.Chance, Is.EqualTo(49.0 / 99).Within(1e-12));
        int[] halves = Enumerable.Range(0, N).Select(i => i < N / 2 ? 0 : 1).ToArray();
        Assert.That(NeighborhoodOverlap.WithLabels(graph, halves, 10).Overlap, Is.EqualTo(0.5).Within(0.1));
    }

    [Test]
    public void StatusSaysWhy()
    {
        NeighborGraph good = NearestNeighbors.Search(Clouds.Gauss(9, 2, 1), 9, 2, 3);
        NeighborGraph constant = NearestNeighbors.Search(new float[18], 9, 2, 3);
        Assert.That(NeighborhoodOverlap.Between(good, constant, 3).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(NeighborhoodOverlap.Between(good, good, 4).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(NeighborhoodOverlap.WithLabels(good, new int[9], 4).Overlap, Is.Null);
        Assert.That(() => NeighborhoodOverlap.WithLabels(good, new int[8], 3), Throws.ArgumentException);
        NeighborGraph other = NearestNeighbors.Search(Clouds.Gauss(8, 2, 1), 8, 2, 3);
        Assert.That(() => NeighborhoodOverlap.Between(good, other, 3), Throws.ArgumentException);
    }
}
