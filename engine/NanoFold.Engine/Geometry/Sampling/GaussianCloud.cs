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
    // Of the largest variance: below it a direction has none.
    private const double LeastPivot = 1e-12;

    /// <summary>Puts the Gaussian's points in the place of all but those at position 0, the same for the same seed, point and layer.</summary>
    public static void Replace(PointCloud cloud, ulong seed)
    {
        StreamingMoments moments = cloud.Moments();
        if (moments.Status == GeometryStatus.NotFinite || moments.Count < 2)
        {
            return;
        }

        int width = cloud.Width;
        double[] lower = Factor(moments.Covariance(), width), drawn = new double[width];
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

    /// <summary>L [D, D], lower, with L Lᵀ = Σ; columns of pivots near 0 are 0.</summary>
    internal static double[] Factor(double[] covariance, int width)
    {
        var lower = new double[width * width];
        double largest = 0;
        for (int i = 0; i < width; i++)
        {
            largest = Math.Max(largest, covariance[i * (width + 1)]);
        }

        for (int i = 0; i < width; i++)
        {
            Span<double> row = lower.AsSpan(i * width, i + 1);
            for (int j = 0; j < i; j++)
            {
                double pivot = lower[j * (width + 1)];
                double left = covariance[(i * width) + j] - TensorPrimitives.Dot<double>(row[..j], lower.AsSpan(j * width, j));
                row[j] = pivot > 0 ? left / pivot : 0;
            }

            double rest = covariance[i * (width + 1)] - TensorPrimitives.SumOfSquares<double>(row[..i]);
            row[i] = rest > LeastPivot * largest ? Math.Sqrt(rest) : 0;
        }

        return lower;
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
