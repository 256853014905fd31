using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Topology;

namespace NanoFold.Tests.Geometry.Topology;

[Parallelizable]
public class RipsHomologyTests
{
    private const int Points = 2000, Chosen = 120;

    [TestCase("circle", 1, 1)]
    [TestCase("torus", 1, 2)]
    [TestCase("sphere", 1, 0)]
    [TestCase("two clusters", 2, 0)]
    [TestCase("two circles", 2, 2)]
    [TestCase("gauss", 1, 0)]
    public void BettiNumbersOfKnownShapes(string name, int components, int loops)
    {
        for (ulong seed = 1; seed <= 2; seed++)
        {
            (float[] points, int d) = Shape(name, seed);
            RipsHomology homology = Measure(points, d, Chosen);
            TestContext.Out.WriteLine(string.Join(' ', homology.Loops.Take(4).Select(l => $"{l.Birth:0.00}-{l.Death:0.00}")) + " | " + string.Join(' ', homology.Joins.Reverse().Take(3).Select(j => $"{j:0.00}")));
            Assert.That(homology.Joins, Has.Count.EqualTo(Chosen - 1));
            Assert.That(homology.Betti0(3), Is.EqualTo(components));
            Assert.That(homology.Betti1(2), Is.EqualTo(loops));
        }
    }

    [Test]
    public void ARegularPolygonIsALoopFromItsSideToAnInscribedTriangle()
    {
        const int N = 60;
        float[] polygon = [.. Enumerable.Range(0, N).SelectMany(i => new[] { (float)Math.Cos(2 * Math.PI * i / N), (float)Math.Sin(2 * Math.PI * i / N) })];
        RipsHomology homology = RipsHomology.Of(PairDistances.Of(polygon, N, 2));
        Assert.That(homology.Loops, Has.Count.EqualTo(1));
        Assert.That(homology.Loops[0].Birth, Is.EqualTo(2 * Math.Sin(Math.PI / N)).Within(1e-6));
        Assert.That(homology.Loops[0].Death, Is.EqualTo(Math.Sqrt(3)).Within(1e-6));
        Assert.That(homology.Joins, Is.All.EqualTo(2 * Math.Sin(Math.PI / N)).Within(1e-6));
    }

    [Test]
    public void ASquareByHand()
    {
        RipsHomology square = RipsHomology.Of(PairDistances.Of([0, 0, 1, 0, 1, 1, 0, 1], 4, 2));
        Assert.That(square.Joins, Is.EqualTo(new[] { 1.0, 1, 1 }));
        Assert.That(square.Loops, Is.EqualTo(new[] { new PersistentLoop(1, Math.Sqrt(2)) }));
    }

    [Test]
    public void IntervalsAreThoseOfTheWholeMatrixReduced()
    {
        for (ulong seed = 1; seed <= 4; seed++)
        {
            const int N = 14;
            PairDistances distances = PairDistances.Of(Clouds.Gauss(N, 3, seed), N, 3);
            PersistentLoop[] expected = [.. PlainHomology.Loops(distances).OrderByDescending(l => l.Death - l.Birth)];
            Assert.That(RipsHomology.Of(distances).Loops, Is.EqualTo(expected));
            Assert.That(expected, Is.Not.Empty);
        }
    }

    [Test]
    public void StatusSaysWhy()
    {
        Assert.That(RipsHomology.Of(PairDistances.Of([1, 2], 1, 2)).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(RipsHomology.Of(PairDistances.Of([1, 2, float.NaN, 3], 2, 2)).Status, Is.EqualTo(GeometryStatus.NotFinite));
        RipsHomology two = RipsHomology.Of(PairDistances.Of([1, 2, 4, 6], 2, 2));
        Assert.That((two.Joins.Single(), two.Loops.Count), Is.EqualTo((5, 0)));
    }

    [Test]
    public void LandmarksAreFarFromOneAnother()
    {
        float[] line = [0, 1, 2, 3, 10, 4, 10];
        Assert.That(Landmarks.Farthest(line, 7, 1, 4), Is.EqualTo(new[] { 0, 4, 5, 2 }));
        Assert.That(Landmarks.Farthest(line, 7, 1, 7), Has.Length.EqualTo(6), "one is a copy");
    }

    private static RipsHomology Measure(float[] points, int d, int landmarks)
    {
        int[] rows = Landmarks.Farthest(points, points.Length / d, d, landmarks);
        float[] chosen = [.. rows.SelectMany(row => points[(row * d)..((row + 1) * d)])];
        return RipsHomology.Of(PairDistances.Of(chosen, rows.Length, d));
    }

    private static (float[] Points, int D) Shape(string name, ulong seed)
    {
        var random = new GaussianSource(seed);
        float[] Rows(int n, Func<int, double[]> row) => [.. Enumerable.Range(0, n).SelectMany(row).Select(v => (float)v)];
        double Angle() => 2 * Math.PI * random.NextUniform();
        double[] Circle(double x)
        {
            double angle = Angle();
            return [x + Math.Cos(angle), Math.Sin(angle)];
        }

        return name switch
        {
            "circle" => (Rows(Points, _ => Circle(0)), 2),
            "two circles" => (Rows(Points, i => Circle(i % 2 * 4)), 2),
            "torus" => (Rows(Points, _ => [.. Circle(0), .. Circle(0)]), 4),
            "sphere" => (Clouds.Sphere(Points, 2, seed), 3),
            "two clusters" => (Rows(Points, i => [random.NextNormal() + (i % 2 * 30), random.NextNormal(), random.NextNormal()]), 3),
            _ => (Clouds.Gauss(Points, 3, seed), 3),
        };
    }
}
