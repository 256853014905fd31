using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;

namespace NanoFold.Tests.Geometry.Sampling;

/// <summary>Gaussians with the moments of a cloud.</summary>
public class GaussianCloudTests
{
    [Test]
    public void AFactorTimesItselfIsTheCovarianceWhereItHasNoInverse()
    {
        // Σ = A Aᵀ of rank 2 in three dimensions.
        double[] a = [2, 0, 1, 3, -1, 0.5], covariance = new double[9];
        for (int i = 0; i < 9; i++)
        {
            covariance[i] = (a[i / 3 * 2] * a[i % 3 * 2]) + (a[(i / 3 * 2) + 1] * a[(i % 3 * 2) + 1]);
        }

        double[] lower = CholeskyFactor.Of(covariance, 3);
        for (int i = 0; i < 9; i++)
        {
            Assert.That(Enumerable.Range(0, 3).Sum(k => lower[(i / 3 * 3) + k] * lower[(i % 3 * 3) + k]), Is.EqualTo(covariance[i]).Within(1e-12), $"{i}");
        }

        Assert.That((lower[1], lower[2], lower[5], lower[8]), Is.EqualTo((0.0, 0.0, 0.0, 0.0)));
    }

    [Test]
    public void ItHasTheMomentsOfTheCloudAndLeavesPosition0()
    {
        const int D = 6;
        ProbeShape shape = ProbeShape.Of(4000, 100, 8);
        SampledRows rows = SampledRows.Points(shape, 1);
        float[] values = Clouds.Gauss(rows.Count, D, 3);
        for (int i = 0; i < values.Length; i++)
        {
            // Dimensions of other sizes, one of them the sum of two others, and a mean.
            values[i] = i % D == D - 1 ? values[i - 1] + values[i - 2] : (values[i] * (1 + (i % D))) + 2;
        }

        var cloud = new PointCloud("blocks.0.hook_resid_post", rows, values);
        double[] before = cloud.Moments().Covariance(), mean = cloud.Moments().Mean.ToArray();
        GaussianCloud.Replace(cloud, 1);
        StreamingMoments after = cloud.Moments();
        double largest = before.Max();
        Assert.That(after.Covariance(), Is.EqualTo(before).Within(0.1 * largest).And.Not.EqualTo(before).Within(1e-6));
        Assert.That(after.Mean.ToArray(), Is.EqualTo(mean).Within(0.3));
        Assert.That(cloud.Values[..(rows.First * D)].SequenceEqual(values.AsSpan(0, rows.First * D)), Is.True);
        Assert.That(rows.First, Is.GreaterThan(100));
        for (int row = rows.First; row < rows.Count; row++)
        {
            Assert.That(cloud.Values[(row * D) + 5], Is.EqualTo(cloud.Values[(row * D) + 4] + cloud.Values[(row * D) + 3]).Within(1e-4));
        }
    }
}
