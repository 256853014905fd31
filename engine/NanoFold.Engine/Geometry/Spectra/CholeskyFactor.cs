using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>Cholesky's factor L of a symmetric matrix without negative eigenvalues, Σ = L Lᵀ, also where it has no inverse.</summary>
internal static class CholeskyFactor
{
    // Of the largest element of the diagonal: below it a direction has no variance.
    private const double LeastPivot = 1e-12;

    /// <summary>L <c>[D, D]</c>, lower; columns of pivots near 0 are 0.</summary>
    /// <param name="matrix">Σ <c>[D, D]</c>, finite. Left as it is.</param>
    /// <param name="d">D.</param>
    public static double[] Of(ReadOnlySpan<double> matrix, int d)
    {
        var lower = new double[d * d];
        double largest = 0;
        for (int i = 0; i < d; i++)
        {
            largest = Math.Max(largest, matrix[i * (d + 1)]);
        }

        for (int i = 0; i < d; i++)
        {
            Span<double> row = lower.AsSpan(i * d, i + 1);
            for (int j = 0; j < i; j++)
            {
                double pivot = lower[j * (d + 1)];
                double left = matrix[(i * d) + j] - TensorPrimitives.Dot<double>(row[..j], lower.AsSpan(j * d, j));
                row[j] = pivot > 0 ? left / pivot : 0;
            }

            double rest = matrix[i * (d + 1)] - TensorPrimitives.SumOfSquares<double>(row[..i]);
            row[i] = rest > LeastPivot * largest ? Math.Sqrt(rest) : 0;
        }

        return lower;
    }
}
