using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>
/// A control: as many points of a Gaussian with the mean and covariance of a cloud,
/// x = m + L g with Σ = L Lᵀ (Cholesky; directions without variance stay without).
/// </summary>
internal static class GaussianCloud
{
    /// <summary>Puts the Gaussian's points in the place of all but those at position 0, the same for the same seed, point and layer.</summary>
    public static void Replace(PointCloud cloud, ulong seed)
    {
        StreamingMoments moments = cloud.Moments();
        if (moments.Status == GeometryStatus.NotFinite || moments.Count < 2)
        {
            return;
        }

        int width = cloud.Width;
        double[] lower = CholeskyFactor.Of(moments.Covariance(), width), drawn = new double[width];
        double[] mean = moments.Mean.ToArray();
        var random = new GaussianSource(GaussianSource.Mix(seed, Hash(cloud.Point)));
        Span<float> values = cloud.Change();
        for (int row = 0; row < cloud.LaterCount; row++)
        {
            for (int i = 0; i < width; i++)
            {
                drawn[i] = random.NextNormal();
            }

            Span<float> target = values.Slice(row * width, width);
            for (int i = 0; i < width; i++)
            {
                target[i] = (float)(mean[i] + TensorPrimitives.Dot<double>(lower.AsSpan(i * width, i + 1), drawn.AsSpan(0, i + 1)));
            }
        }
    }

    // FNV-1a: the same in every process.
    private static ulong Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char letter in text)
        {
            hash = (hash ^ letter) * 1099511628211;
        }

        return hash;
    }
}
