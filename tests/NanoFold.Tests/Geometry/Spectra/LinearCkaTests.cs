using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Spectra;

public class LinearCkaTests
{
    [Test]
    public void AgreesWithTheKernelFormula()
    {
        const int N = 30;
        float[] x = Clouds.Gauss(N, 5, 1);
        float[] y = Related(x, N, 5, 9, 2);
        double xy = Hsic(x, 5, y, 9, N);
        double expected = xy / Math.Sqrt(Hsic(x, 5, x, 5, N) * Hsic(y, 9, y, 9, N));
        Assert.That(LinearCka.Between(x, 5, y, 9, N).Unbiased, Is.EqualTo(expected).Within(1e-10));
    }

    [TestCase(512, 32, 24, .0513)]
    [TestCase(256, 256, 256, .50)]
    public void IndependentGaussians(int n, int dx, int dy, double biased)
    {
        CkaEstimate cka = LinearCka.Between(Clouds.Gauss(n, dx, 1), dx, Clouds.Gauss(n, dy, 2), dy, n);
        Assert.That(cka.Biased, Is.EqualTo(biased).Within(3).Percent);
        Assert.That(cka.Unbiased, Is.Zero.Within(0.02));
    }

    [Test]
    public void RotationShiftAndScaleDoNotMatter()
    {
        const int N = 100;
        float[] x = Clouds.Gauss(N, 8, 3);
        float[] y = Related(x, N, 8, 6, 4);
        CkaEstimate before = LinearCka.Between(x, 8, y, 6, N);
        CkaEstimate after = LinearCka.Between(Clouds.Move(x, 8, 20, 3, 5), 8, Clouds.Move(y, 6, 0.1, -1, 6), 6, N);
        Assert.That(after.Unbiased, Is.EqualTo(before.Unbiased).Within(1e-5));
        Assert.That(after.Biased, Is.EqualTo(before.Biased).Within(1e-5));
        CkaEstimate self = LinearCka.Between(x, 8, Clouds.Move(x, 8, 7, 2, 9), 8, N);
        Assert.That(self.Unbiased, Is.EqualTo(1).Within(1e-5));
        Assert.That(self.Biased, Is.EqualTo(1).Within(1e-5));
    }

    [Test]
    public void BatchesAccumulateBeforeDividing()
    {
        const int N = 40;
        const int Batches = 25;
        LinearCka cka = new();
        for (ulong b = 0; b < Batches; b++)
        {
            cka.Add(Clouds.Gauss(N, 16, (2 * b) + 1), 16, Clouds.Gauss(N, 16, (2 * b) + 2), 16, N);
        }

        CkaEstimate estimate = cka.Estimate();
        Assert.That(estimate.Points, Is.EqualTo(N * Batches));
        Assert.That(estimate.Batches, Is.EqualTo(Batches));
        Assert.That(estimate.Unbiased, Is.Zero.Within(0.02));
        Assert.That(estimate.Biased, Is.GreaterThan(0.2), "the biased form is wrong for small batches");
    }

    [Test]
    public void StatusSaysWhy()
    {
        float[] x = Clouds.Gauss(10, 2, 1);
        float[] constant = new float[20];
        Array.Fill(constant, 0.1f);
        float[] broken = [.. x];
        broken[7] = float.NaN;
        Assert.Multiple(() =>
        {
            Assert.That(new LinearCka().Estimate().Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(LinearCka.Between(x.AsSpan(0, 6), 2, x.AsSpan(0, 6), 2, 3).Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(LinearCka.Between(x, 2, constant, 2, 10).Status, Is.EqualTo(GeometryStatus.ZeroVariance));
            Assert.That(LinearCka.Between(x, 2, constant, 2, 10).Unbiased, Is.Null);
            Assert.That(LinearCka.Between(broken, 2, x, 2, 10).Status, Is.EqualTo(GeometryStatus.NotFinite));
        });
    }

    private static float[] Related(float[] x, int n, int dx, int dy, ulong seed)
    {
        float[] y = Clouds.Gauss(n, dy, seed);
        for (int i = 0; i < y.Length; i++)
        {
            y[i] += x[(i / dy * dx) + (i % dy % dx)];
        }

        return y;
    }

    // HSIC₁ from N × N kernels with zeroed diagonals, as written.
    private static double Hsic(float[] x, int dx, float[] y, int dy, int n)
    {
        double[,] k = Kernel(x, dx, n);
        double[,] l = Kernel(y, dy, n);
        double trace = 0;
        double sumK = 0;
        double sumL = 0;
        double cross = 0;
        for (int i = 0; i < n; i++)
        {
            double rowK = 0;
            double rowL = 0;
            for (int j = 0; j < n; j++)
            {
                trace += k[i, j] * l[j, i];
                rowK += k[i, j];
                rowL += l[i, j];
            }

            sumK += rowK;
            sumL += rowL;
            cross += rowK * rowL;
        }

        return (trace + (sumK * sumL / (n - 1) / (n - 2)) - (2 * cross / (n - 2))) / n / (n - 3);
    }

    private static double[,] Kernel(float[] x, int d, int n)
    {
        double[,] k = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                for (int c = 0; c < d && i != j; c++)
                {
                    k[i, j] += (double)x[(i * d) + c] * x[(j * d) + c];
                }
            }
        }

        return k;
    }
}
