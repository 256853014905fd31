using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Neighbors;

[Parallelizable]
public class TangentPlaneTests
{
    [Test]
    public void APlaneIsItsOwnTangent()
    {
        // x + y + z = 3, in 3 dimensions.
        float[] points = [1, 1, 1, 2, 1, 0, 0, 2, 1, 3, 0, 0];
        TangentPlane plane = TangentPlane.Of(points, 3, [0, 1, 2, 3], 3);
        Assert.That(plane.Rank, Is.EqualTo(2));
        Assert.That(plane.NormalShare([1, 1, 1]), Is.EqualTo(1).Within(1e-12));
        Assert.That(plane.NormalShare([1, -1, 0]), Is.EqualTo(0).Within(1e-12));
        Assert.That(plane.NormalShare([1, 0, 0]), Is.EqualTo(1 / 3.0).Within(1e-12));
        Assert.That(plane.NormalShare([0, 0, 0]), Is.Null);
        Assert.That(plane.Distance([2, 2, 2]), Is.EqualTo(Math.Sqrt(3)).Within(1e-12));
    }

    [Test]
    public void ARandomPlaneLeavesItsShareOut()
    {
        const int D = 64, Q = 16, Draws = 400;
        var random = new GaussianSource(1);
        float[] step = Clouds.Gauss(1, D, 2);
        double mean = Enumerable.Range(0, Draws).Average(_ => TangentPlane.Random(D, Q, random).NormalShare(step)!.Value);
        Assert.That(mean, Is.EqualTo(1 - ((double)Q / D)).Within(0.01));
    }

    [Test]
    public void DistanceToACurvedSurfaceIsTheDistance()
    {
        // A dense sphere: a point at 1.3 of the radius is 0.3 off, those of the sphere hardly.
        const int N = 3000;
        float[] sphere = Clouds.Sphere(N, 2, 1);
        var off = new OffManifold(sphere, N, 3, 16, 2);
        double ordinary = Enumerable.Range(0, 50).Average(i => off.At(sphere.AsSpan(i * 3, 3), isOwn: true).Distance);
        double above = Enumerable.Range(0, 50).Average(i => off.At([1.3f * sphere[i * 3], 1.3f * sphere[(i * 3) + 1], 1.3f * sphere[(i * 3) + 2]]).Distance);
        Assert.That(above, Is.EqualTo(0.3).Within(0.01));
        Assert.That(ordinary, Is.LessThan(0.01));
        Assert.That(off.At([float.NaN, 0, 0]).Distance, Is.NaN);
    }

    [Test]
    public void EigenvectorsMakeTheMatrixDiagonal()
    {
        const int K = 9;
        float[] x = Clouds.Gauss(20, K, 3);
        double[] a = [.. Enumerable.Range(0, K * K).Select(i => Enumerable.Range(0, 20).Sum(r => (double)x[(r * K) + (i / K)] * x[(r * K) + (i % K)]))];
        (double[] values, double[] vectors) = SymmetricEigenvectors.Of(a, K);
        Assert.That(values, Is.EqualTo(SymmetricEigenvalues.Of(a, K)).Within(1e-10));
        for (int i = 0; i < K; i++)
        {
            for (int j = 0; j < K; j++)
            {
                double product = Enumerable.Range(0, K).Sum(r => vectors[(i * K) + r] * Enumerable.Range(0, K).Sum(c => a[(r * K) + c] * vectors[(j * K) + c]));
                Assert.That(product, Is.EqualTo(i == j ? values[i] : 0).Within(1e-10));
            }
        }
    }
}
