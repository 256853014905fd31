using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Statistics;

public class CurvatureTests
{
    [Test]
    public void RegularPolygonTurnsByItsAngle()
    {
        float[] x = new float[37 * 2];
        for (int i = 0; i < 37; i++)
        {
            x[2 * i] = (float)Math.Cos(i * Math.PI / 18);
            x[(2 * i) + 1] = (float)Math.Sin(i * Math.PI / 18);
        }

        Assert.That(Curvature.Measure(x, 37, 2).Degrees, Is.EqualTo(10).Within(1e-4));
        Assert.That(Curvature.Measure(x, 37, 2).Angles, Is.EqualTo(35));
        Assert.That(Curvature.Measure(x, 37, 2, from: 1).Angles, Is.EqualTo(34));
    }

    [Test]
    public void LineIsStraightAndAReversalTurnsBack()
    {
        Assert.That(Curvature.Measure([0, 0, 1, 2, 2, 4, 5, 10], 4, 2).Degrees, Is.Zero.Within(1e-9));
        Assert.That(Curvature.Measure([0, 0, 1, 2, 0, 0], 3, 2).Degrees, Is.EqualTo(180).Within(1e-9));
    }

    [Test]
    public void RandomWalkAndIndependentPoints()
    {
        const int Time = 300;
        const int D = 256;
        float[] independent = Clouds.Gauss(Time, D, 1);
        Assert.That(Curvature.Measure(independent, Time, D).Degrees, Is.EqualTo(120).Within(1));
        float[] walk = [.. independent];
        for (int i = D; i < walk.Length; i++)
        {
            walk[i] += walk[i - D];
        }

        Assert.That(Curvature.Measure(walk, Time, D).Degrees, Is.EqualTo(90).Within(1));
    }

    [Test]
    public void TrajectoriesAreNotJoined()
    {
        // Two straight lines in different directions.
        Curvature two = Curvature.Measure([0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2], 3, 2);
        Assert.That(two.Degrees, Is.Zero.Within(1e-9));
        Assert.That(two.Angles, Is.EqualTo(2));
    }

    [Test]
    public void StatusSaysWhy()
    {
        Assert.That(Curvature.Measure([1, 2, 3, 4], 2, 2).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        Assert.That(Curvature.Measure(new float[8], 4, 2).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(Curvature.Measure(new float[8], 4, 2).Skipped, Is.EqualTo(2));
        Assert.That(Curvature.Measure([1, float.NaN, 3], 3, 1).Status, Is.EqualTo(GeometryStatus.NotFinite));
        Assert.That(() => Curvature.Measure(new float[7], 3, 2), Throws.ArgumentException);
    }
}
