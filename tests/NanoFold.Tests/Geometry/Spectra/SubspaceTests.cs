using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Spectra;

/// <summary>Singular values of small matrices, angles between subspaces, common axes.</summary>
public class SubspaceTests
{
    [Test]
    public void SmallSingularValuesKeepTheirDigits()
    {
        // Rows σ_k v_k turned among themselves: eigenvalues of the product could not tell 1e-10 from 0.
        const int n = 6;
        double[] right = Orthonormal(4, n, 5), left = Orthonormal(4, 4, 6), values = [3, 1, 1e-5, 1e-10], matrix = new double[4 * n];
        for (int i = 0; i < matrix.Length; i++)
        {
            matrix[i] = Enumerable.Range(0, 4).Sum(k => left[(k * 4) + (i / n)] * values[k] * right[(k * n) + (i % n)]);
        }

        double[] found = SmallSingularValues.Of(matrix, 4);
        Assert.That(found.Zip(values, (a, b) => Math.Abs(a - b)), Is.All.LessThan(1e-14));
        Assert.That(found[3], Is.EqualTo(1e-10).Within(1e-3).Percent);
        Assert.That(SmallSingularValues.Of([3, 4], 2), Is.EqualTo(new[] { 5.0, 0 }).Within(1e-15));
    }

    [TestCase(0)]
    [TestCase(1e-9)]
    [TestCase(0.3)]
    [TestCase(1.2)]
    [TestCase(Math.PI / 2)]
    public void PlanesAtKnownAngles(double angle)
    {
        // Both share one direction; the other two are the angle apart. Turned together, so that no coordinate is special.
        double[] turn = Orthonormal(7, 7, 11);
        double[] first = [.. Row(turn, 0), .. Row(turn, 1)];
        double[] second = [.. Row(turn, 0), .. Row(turn, 1).Zip(Row(turn, 2), (a, b) => (Math.Cos(angle) * a) + (Math.Sin(angle) * b))];
        double[] angles = PrincipalAngles.Between(first, second, 7);
        Assert.That(angles, Is.EqualTo(new[] { 0, angle }).Within(1e-15));
        Assert.That(PrincipalAngles.Overlap(angles), Is.EqualTo((1 + (Math.Cos(angle) * Math.Cos(angle))) / 2).Within(1e-14));
        Assert.That(PrincipalAngles.Between([.. Row(turn, 0)], [.. Row(turn, 3), .. Row(turn, 4)], 7), Is.EqualTo(new[] { Math.PI / 2 }).Within(1e-15));
    }

    [Test]
    public void RandomSubspacesOverlapByTheirShareOfTheSpace()
    {
        double[] overlaps = [.. Enumerable.Range(0, 40).Select(i => PrincipalAngles.Overlap(PrincipalAngles.Between(Orthonormal(6, 48, (ulong)(2 * i) + 1), Orthonormal(6, 48, (ulong)(2 * i) + 2), 48)))];
        Assert.That(overlaps.Average(), Is.EqualTo(6.0 / 48).Within(0.01));
    }

    [Test]
    public void CommonAxesOfAnEllipsoid()
    {
        const int n = 3000, d = 20;
        float[] rows = Clouds.Gauss(n, d, 8);
        double[] sizes = [3, 2, 1.5, .. Enumerable.Repeat(0.1, d - 3)], turn = Orthonormal(d, d, 9);
        float[] turned = new float[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            turned[i] = 100 + (float)Enumerable.Range(0, d).Sum(k => sizes[k] * rows[(i / d * d) + k] * turn[(k * d) + (i % d)]);
        }

        PrincipalAxes axes = PrincipalAxes.Of(turned, n, 3);
        double all = sizes.Sum(s => s * s);
        Assert.That(axes.Shares, Is.EqualTo(sizes.Take(3).Select(s => s * s / all)).Within(0.02));
        for (int k = 0; k < 3; k++)
        {
            Assert.That(Math.Abs(Dot(axes.Axis(k).ToArray(), Row(turn, k))), Is.GreaterThan(0.995));
        }

        double[] eigenvalues = Moments(turned, n, d).Eigenvalues();
        Assert.That(axes.Shares, Is.EqualTo(eigenvalues.Take(3).Select(v => v / eigenvalues.Sum())).Within(1e-12));
        float[] coordinates = axes.Coordinates(turned);
        Assert.That(Enumerable.Range(0, n).Average(i => (double)coordinates[i * 3]), Is.Zero.Within(1e-4));
        Assert.That(Enumerable.Range(0, n).Sum(i => (double)coordinates[(i * 3) + 1] * coordinates[(i * 3) + 1]) / (n - 1), Is.EqualTo(eigenvalues[1]).Within(1e-4).Percent);
        Assert.That(PrincipalAxes.Of(new float[12], 4, 2).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
    }

    [Test]
    public void AxesOfRowsInAPlaneAreTwo()
    {
        double[] plane = Orthonormal(2, 12, 14);
        float[] rows = [.. Clouds.Gauss(40, 2, 15).Chunk(2).SelectMany(x => Enumerable.Range(0, 12).Select(c => (float)((3 * x[0] * plane[c]) + (x[1] * plane[12 + c]))))];
        PrincipalAxes axes = PrincipalAxes.Of(rows, 40, 5);
        Assert.That(axes.Shares.Take(2).Sum(), Is.EqualTo(1).Within(1e-12));
        Assert.That(axes.Shares.Skip(2), Is.All.LessThan(1e-12));
        Assert.That(PrincipalAngles.Between([.. axes.Axis(0), .. axes.Axis(1)], plane, 12), Is.All.LessThan(1e-6));
    }

    internal static double[] Orthonormal(int count, int d, ulong seed)
    {
        double[][] rows = [.. Clouds.Gauss(count, d, seed).Select(x => (double)x).Chunk(d)];
        for (int i = 0; i < count; i++)
        {
            for (int pass = 0; pass < 2; pass++)
            {
                foreach (double[] other in rows.Take(i))
                {
                    double product = Dot(rows[i], other);
                    rows[i] = [.. rows[i].Zip(other, (a, b) => a - (product * b))];
                }
            }

            double norm = Math.Sqrt(Dot(rows[i], rows[i]));
            rows[i] = [.. rows[i].Select(a => a / norm)];
        }

        return [.. rows.SelectMany(row => row)];
    }

    private static StreamingMoments Moments(float[] rows, int n, int d)
    {
        var moments = new StreamingMoments(d);
        moments.Add(rows, n);
        return moments;
    }

    private static double[] Row(double[] matrix, int row)
    {
        int d = (int)Math.Sqrt(matrix.Length);
        return matrix[(row * d)..((row + 1) * d)];
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
