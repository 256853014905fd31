using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Tests.Geometry.Spectra;

public class StreamingMomentsTests
{
    [TestCase(5, 3)]
    [TestCase(128, 8)]
    [TestCase(300, 21)]
    [TestCase(1000, 64)]
    public void AgreesWithTheDefinition(int n, int d)
    {
        float[] x = Clouds.Gauss(n, d, 1);
        for (int i = 0; i < x.Length; i++)
        {
            x[i] += i % d; // a different mean in every column
        }

        StreamingMoments moments = new(d);
        moments.Add(x, n);
        (double[] mean, double[] covariance) = Naive(x, n, d);
        Assert.That(moments.Count, Is.EqualTo(n));
        Assert.That(moments.Mean.ToArray(), Is.EqualTo(mean).Within(1e-12));
        Assert.That(moments.Covariance(), Is.EqualTo(covariance).Within(1e-11));
    }

    [Test]
    public void BatchesGiveWhatOneCallGives()
    {
        const int N = 700;
        const int D = 13;
        float[] x = Clouds.Gauss(N, D, 2);
        StreamingMoments whole = new(D);
        whole.Add(x, N);
        StreamingMoments batches = new(D);
        int done = 0;
        foreach (int size in new[] { 1, 0, 2, 127, 128, 129, 313 })
        {
            batches.Add(x.AsSpan(done * D, size * D), size);
            done += size;
        }

        Assert.That(done, Is.EqualTo(N));
        AssertSame(batches, whole);
    }

    [Test]
    public void MergeGivesTheWhole()
    {
        const int N = 500;
        const int D = 10;
        float[] x = Clouds.Gauss(N, D, 3);
        StreamingMoments whole = new(D);
        whole.Add(x, N);
        StreamingMoments left = new(D);
        left.Add(x.AsSpan(0, 333 * D), 333);
        StreamingMoments right = new(D);
        right.Add(x.AsSpan(333 * D), N - 333);
        left.Merge(right);
        AssertSame(left, whole);
        left.Merge(new StreamingMoments(D));
        AssertSame(left, whole);
        StreamingMoments empty = new(D);
        empty.Merge(whole);
        AssertSame(empty, whole);
    }

    [Test]
    public void MergeWithItselfCountsEveryRowTwice()
    {
        float[] x = Clouds.Gauss(50, 4, 4);
        StreamingMoments twice = new(4);
        twice.Add(x, 50);
        twice.Add(x, 50);
        StreamingMoments merged = new(4);
        merged.Add(x, 50);
        merged.Merge(merged);
        AssertSame(merged, twice);
    }

    [Test]
    public void ALargeMeanLeavesTheCovarianceExact()
    {
        const int N = 400;
        const int D = 6;
        float[] x = Clouds.Gauss(N, D, 5);
        for (int i = 0; i < N; i++)
        {
            x[i * D] += 1000;
        }

        StreamingMoments moments = new(D);
        moments.Add(x, N);
        Assert.That(moments.Covariance(), Is.EqualTo(Naive(x, N, D).Covariance).Within(1e-10));
    }

    [Test]
    public void AddingAllocatesNothing()
    {
        float[] x = Clouds.Gauss(300, 32, 6);
        StreamingMoments moments = new(32);
        moments.Add(x, 300);
        long before = GC.GetAllocatedBytesForCurrentThread();
        moments.Add(x, 300);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void StatusSaysWhyThereIsNoSpectrum()
    {
        StreamingMoments moments = new(3);
        Assert.That(moments.Summarize().Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        moments.Add([0.1f, 0.2f, 0.3f], 1);
        Assert.That(moments.Summarize().Status, Is.EqualTo(GeometryStatus.TooFewPoints));
        for (int i = 0; i < 500; i++)
        {
            moments.Add([0.1f, 0.2f, 0.3f], 1);
        }

        SpectrumSummary constant = moments.Summarize();
        Assert.That(constant.Status, Is.EqualTo(GeometryStatus.ZeroVariance));
        Assert.That(constant.ParticipationRatio, Is.Null);
        Assert.That(moments.Eigenvalues(), Is.Empty);

        // One float step in one value of one row is a variance.
        moments.Add([float.BitIncrement(0.1f), 0.2f, 0.3f], 1);
        Assert.That(moments.Summarize().Status, Is.EqualTo(GeometryStatus.Ok));
        moments.Add([1, float.NaN, 2], 1);
        Assert.That(moments.Summarize().Status, Is.EqualTo(GeometryStatus.NotFinite));
        Assert.That(moments.Count, Is.EqualTo(502));
        StreamingMoments other = new(3);
        other.Merge(moments);
        Assert.That(other.Status, Is.EqualTo(GeometryStatus.NotFinite));
        moments.Clear();
        moments.Add([1, 0, 0, 2, 0, 0], 2);
        Assert.That(moments.Summarize().ParticipationRatio, Is.EqualTo(1).Within(1e-12));
    }

    [Test]
    public void WrongShapesAreRefused()
    {
        StreamingMoments moments = new(3);
        Assert.That(() => moments.Add(new float[5], 2), Throws.ArgumentException.With.Message.Contains("2 × 3"));
        Assert.That(() => moments.Merge(new StreamingMoments(4)), Throws.ArgumentException);
        Assert.That(() => new StreamingMoments(0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private static void AssertSame(StreamingMoments actual, StreamingMoments expected)
    {
        Assert.That(actual.Count, Is.EqualTo(expected.Count));
        Assert.That(actual.Mean.ToArray(), Is.EqualTo(expected.Mean.ToArray()).Within(1e-13));
        Assert.That(actual.Covariance(), Is.EqualTo(expected.Covariance()).Within(1e-12));
    }

    private static (double[] Mean, double[] Covariance) Naive(float[] x, int n, int d)
    {
        double[] mean = new double[d];
        for (int i = 0; i < x.Length; i++)
        {
            mean[i % d] += (double)x[i] / n;
        }

        double[] covariance = new double[d * d];
        for (int i = 0; i < n; i++)
        {
            for (int a = 0; a < d; a++)
            {
                for (int b = 0; b < d; b++)
                {
                    covariance[(a * d) + b] += (x[(i * d) + a] - mean[a]) * (x[(i * d) + b] - mean[b]) / (n - 1);
                }
            }
        }

        return (mean, covariance);
    }
}
