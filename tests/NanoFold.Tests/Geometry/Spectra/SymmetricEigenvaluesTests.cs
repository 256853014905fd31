using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Double;
using NanoFold.Engine.Geometry.Spectra;

namespace NanoFold.Tests.Geometry.Spectra;

public class SymmetricEigenvaluesTests
{
    [TestCase(2, 10)]
    [TestCase(7, 30)]
    [TestCase(64, 100)]
    [TestCase(100, 40)] // rank-deficient
    public void AgreesWithMathNet(int d, int n)
    {
        StreamingMoments moments = new(d);
        moments.Add(Clouds.Gauss(n, d, 1), n);
        double[] matrix = moments.Covariance();
        double[] expected = DenseMatrix.OfColumnMajor(d, d, matrix).Evd(Symmetricity.Symmetric)
            .EigenValues.Select(v => v.Real).OrderDescending().ToArray();
        Assert.That(SymmetricEigenvalues.Of(matrix, d), Is.EqualTo(expected).Within(1e-12 * expected[0] * d));
    }

    [Test]
    public void SecondDifferenceHasItsKnownSpectrum()
    {
        const int D = 50;
        double[] matrix = new double[D * D];
        for (int i = 0; i < D; i++)
        {
            matrix[(i * D) + i] = 2;
            if (i > 0)
            {
                matrix[(i * D) + i - 1] = matrix[((i - 1) * D) + i] = -1;
            }
        }

        double[] expected = Enumerable.Range(1, D).Select(k => 2 - (2 * Math.Cos(k * Math.PI / (D + 1)))).Reverse().ToArray();
        Assert.That(SymmetricEigenvalues.Of(matrix, D), Is.EqualTo(expected).Within(1e-13));
    }

    [Test]
    public void NegativeAndIndefiniteMatricesWork() =>
        Assert.That(SymmetricEigenvalues.Of([1, 2, 2, 1], 2), Is.EqualTo(new[] { 3.0, -1 }).Within(1e-14));

    [TestCase(1e-200)]
    [TestCase(1e-30)]
    [TestCase(1e200)]
    public void ScaleDoesNotMatter(double scale)
    {
        double[] matrix = [4, 1, 0, 1, 3, 1, 0, 1, 2];
        double[] expected = SymmetricEigenvalues.Of(matrix, 3);
        double[] actual = SymmetricEigenvalues.Of(matrix.Select(x => x * scale).ToArray(), 3);
        Assert.That(actual.Select(x => x / scale).ToArray(), Is.EqualTo(expected).Within(1e-14));
    }

    [Test]
    public void DiagonalIsSorted() =>
        Assert.That(SymmetricEigenvalues.Of([1, 0, 0, 0, 5, 0, 0, 0, 3], 3), Is.EqualTo(new[] { 5.0, 3, 1 }));

    [Test]
    public void ZeroAndOneByOneAreTheirOwnAnswer()
    {
        Assert.That(SymmetricEigenvalues.Of(new double[9], 3), Is.EqualTo(new double[3]));
        Assert.That(SymmetricEigenvalues.Of([7], 1), Is.EqualTo(new[] { 7.0 }));
    }

    [Test]
    public void BadInputIsRefused()
    {
        Assert.That(() => SymmetricEigenvalues.Of([1, 2, 3], 2), Throws.ArgumentException);
        Assert.That(() => SymmetricEigenvalues.Of([double.NaN], 1), Throws.ArgumentException);
    }
}
