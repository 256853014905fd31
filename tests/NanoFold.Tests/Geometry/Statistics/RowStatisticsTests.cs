using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Statistics;

public class RowStatisticsTests
{
    [Test]
    public void MeanCosineIsTheMeanOverPairs()
    {
        const int N = 60;
        const int D = 7;
        float[] x = Clouds.Gauss(N, D, 1).Select((v, i) => v + (i % D == 0 ? 1 : 0)).ToArray();
        double sum = 0;
        for (int i = 0; i < N; i++)
        {
            for (int j = 0; j < N; j++)
            {
                sum += i == j ? 0 : Cosine(x.AsSpan(i * D, D), x.AsSpan(j * D, D));
            }
        }

        RowSummary all = RowStatistics.Rows(x, N, D, 1).All;
        Assert.That(all.MeanCosine, Is.EqualTo(sum / (N * (N - 1))).Within(1e-12));
    }

    [Test]
    public void SimplexDirectionsHaveTheirKnownCosine()
    {
        // Ten corners of a centered simplex: cosine −1/(C − 1).
        float[] x = new float[100];
        for (int i = 0; i < 100; i++)
        {
            x[i] = (i % 11 == 0 ? 1 : 0) - 0.1f;
        }

        Assert.That(RowStatistics.Rows(x, 10, 10, 1).All.MeanCosine, Is.EqualTo(-1.0 / 9).Within(1e-6));
    }

    [Test]
    public void PositionZeroIsLeftOutOfEverySequence()
    {
        float[] x = [1000, 0, 2000, 0, 3, 4, 0, 0, 0, 1, 0, 2]; // the first rows of two sequences, then the others
        PositionSplit<RowSummary> split = RowStatistics.Rows(x, 6, 2, 2);
        Assert.Multiple(() =>
        {
            Assert.That(split.All.Rows, Is.EqualTo(6));
            Assert.That(split.All.MeanNorm, Is.EqualTo(3008.0 / 6).Within(1e-9));
            Assert.That(split.All.LargestNorm, Is.EqualTo(2000));
            Assert.That(split.All.ZeroRows, Is.EqualTo(1));
            Assert.That(split.WithoutFirst.Rows, Is.EqualTo(4));
            Assert.That(split.WithoutFirst.MeanNorm, Is.EqualTo(2).Within(1e-9));
            Assert.That(split.WithoutFirst.LargestNorm, Is.EqualTo(5));
            Assert.That(split.WithoutFirst.MeanCosine, Is.EqualTo((0.8 + 0.8 + 1) / 3).Within(1e-12));
        });
    }

    [Test]
    public void UpdateShareAngleAndGrowth()
    {
        float[] x = [9, 9, 3, 4, 0, 2, 0, 0];
        float[] delta = [0, 0, 6, 8, 1, 0, 1, 1];
        PositionSplit<UpdateSummary> split = RowStatistics.Updates(x, delta, 4, 2, 1);
        Assert.Multiple(() =>
        {
            Assert.That(split.WithoutFirst.Rows, Is.EqualTo(3));
            Assert.That(split.WithoutFirst.ZeroRows, Is.EqualTo(1));
            Assert.That(split.WithoutFirst.Share, Is.EqualTo((2 + 0.5) / 2).Within(1e-12));
            Assert.That(split.WithoutFirst.Cosine, Is.EqualTo((1 + 0) / 2.0).Within(1e-12));
            Assert.That(split.WithoutFirst.NormGrowth, Is.EqualTo((3 + (Math.Sqrt(5) / 2)) / 2).Within(1e-12));
            Assert.That(split.All.Share, Is.EqualTo((0 + 2 + 0.5) / 3).Within(1e-12));
            Assert.That(split.All.Cosine, Is.EqualTo(0.5).Within(1e-12), "a zero update has no angle");
        });
    }

    [Test]
    public void AnOppositeUpdateOfTheSameSizeLeavesNothing()
    {
        float[] x = Clouds.Gauss(10, 8, 2);
        UpdateSummary all = RowStatistics.Updates(x, x.Select(v => -v).ToArray(), 10, 8, 1).All;
        Assert.That(all.Share, Is.EqualTo(1).Within(1e-12));
        Assert.That(all.Cosine, Is.EqualTo(-1).Within(1e-12));
        Assert.That(all.NormGrowth, Is.Zero.Within(1e-7));
    }

    [Test]
    public void StatusSaysWhy()
    {
        Assert.Multiple(() =>
        {
            Assert.That(RowStatistics.Rows([], 0, 2, 0).All.Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(RowStatistics.Rows([1, 2], 1, 2, 1).All.MeanCosine, Is.Null);
            Assert.That(RowStatistics.Rows([1, 2], 1, 2, 1).WithoutFirst.Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(RowStatistics.Rows([1, float.NaN, 1, 1], 2, 2, 1).All.Status, Is.EqualTo(GeometryStatus.NotFinite));
            Assert.That(RowStatistics.Rows([1, float.NaN, 1, 1], 2, 2, 1).WithoutFirst.Status, Is.EqualTo(GeometryStatus.Ok));
            Assert.That(RowStatistics.Updates([0, 0], [1, 1], 1, 2, 1).All.Status, Is.EqualTo(GeometryStatus.TooFewPoints));
            Assert.That(RowStatistics.Updates([0, 1], [1, float.PositiveInfinity], 1, 2, 1).All.Status, Is.EqualTo(GeometryStatus.NotFinite));
        });
    }

    private static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.Length; i++)
        {
            ab += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }

        return ab / Math.Sqrt(aa * bb);
    }
}
