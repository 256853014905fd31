using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Topology;

namespace NanoFold.Tests.Geometry.Topology;

[Parallelizable]
public class CoverageTests
{
    [Test]
    public void TheGiantComponentOfARandomGraphIsTheRootOfItsEquation()
    {
        // Distances without any geometry make the graph of the nearest pairs a random one.
        const int N = 1000;
        double[] degrees = [0.5, 1.5, 2, 3];
        double[] shares = new double[degrees.Length];
        double critical = 0;
        const int Seeds = 3;
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            var random = new GaussianSource(seed);
            double[] upper = [.. Enumerable.Range(0, N * (N - 1) / 2).Select(_ => random.NextUniform())];
            EpsilonCoverage coverage = Coverage.Epsilon(PairDistances.FromUpper(upper, N), degrees);
            shares = [.. shares.Zip(coverage.Shares, (a, b) => a + (b!.Value / Seeds))];
            critical += coverage.CriticalDegree!.Value / Seeds;
            Assert.That(coverage.Radii[1], Is.EqualTo(1.5 / N).Within(15).Percent);
        }

        Assert.That(shares[0], Is.LessThan(0.05));
        Assert.That(shares[1], Is.EqualTo(.583).Within(.03));
        Assert.That(shares[2], Is.EqualTo(.797).Within(.02));
        Assert.That(shares[3], Is.EqualTo(.941).Within(.01));
        Assert.That(critical, Is.EqualTo(2 * Math.Log(2)).Within(.06));
    }

    [Test]
    public void SharesByHand()
    {
        // Gaps of a line: 1, 1.5, 2, 10, 1.
        float[] line = [0, 1, 2.5f, 4.5f, 14.5f, 15.5f];
        NeighborGraph graph = NearestNeighbors.Search(line, 6, 1, 3);
        Assert.That(Coverage.MutualShares(graph, 3), Is.EqualTo(new[] { 2 / 6.0, 4 / 6.0, 4 / 6.0 }).Within(1e-12), "0–1 and 14.5–15.5, then 1–2.5–4.5");
        EpsilonCoverage coverage = Coverage.Epsilon(PairDistances.Of(line, 6, 1), [1 / 3.0, 1, 4 / 3.0, 5, 6]);
        Assert.That(coverage.Shares, Is.EqualTo(new double?[] { 2 / 6.0, 3 / 6.0, 4 / 6.0, 1, null }));
        Assert.That(coverage.Radii.Take(2), Is.EqualTo(new double?[] { 1, 1.5 }));
        Assert.That(coverage.CriticalDegree, Is.EqualTo(1));
    }

    [Test]
    public void PathsAroundACircleAreLongerThanItsChords()
    {
        const double Catalan = 0.915965594177219;
        const int N = 500;
        float[] circle = [.. Enumerable.Range(0, N).SelectMany(i => new[] { (float)Math.Cos(2 * Math.PI * i / N), (float)Math.Sin(2 * Math.PI * i / N) })];
        Geodesics geodesics = Geodesics.Measure(circle, 2, NearestNeighbors.Search(circle, N, 2, 4), 2, 50);
        Assert.That(geodesics.Ratio, Is.EqualTo(4 * Catalan / Math.PI).Within(0.3).Percent);
        Assert.That((geodesics.Components, geodesics.LargestShare, geodesics.ReachableShare), Is.EqualTo((1, 1.0, 1.0)));
    }

    [Test]
    public void WhatDoesNotHangTogetherIsCounted()
    {
        float[] two = [.. Clouds.Cube(200, 2, 1), .. Clouds.Cube(100, 2, 2).Select(v => v + 50)];
        Geodesics geodesics = Geodesics.Measure(two, 2, NearestNeighbors.Search(two, 300, 2, 8), 8, 200);
        Assert.That(geodesics.Components, Is.EqualTo(2));
        Assert.That(geodesics.LargestShare, Is.EqualTo(2 / 3.0).Within(1e-12));
        Assert.That(geodesics.ReachableShare, Is.EqualTo(199 / 299.0).Within(1e-12));
        Assert.That(geodesics.Ratio, Is.InRange(1, 1.15), "a flat square");
        Assert.That(Geodesics.Measure(two, 2, NearestNeighbors.Search(two, 300, 2, 8), 9, 10).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
    }
}
