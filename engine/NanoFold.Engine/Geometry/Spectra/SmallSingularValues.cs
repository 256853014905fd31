using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// Singular values of a small matrix by rotations that make its rows orthogonal in pairs (Hestenes 1958): small ones keep their digits, which eigenvalues of a
/// product with the transpose lose.
/// </summary>
public static class SmallSingularValues
{
    private const int MaxSweeps = 60;

    /// <summary>Singular values, largest first, <c>[M]</c>; where M is above N the last ones are 0.</summary>
    /// <param name="matrix"><c>[M, N]</c>, finite; left as it is.</param>
    /// <param name="m">M, rows.</param>
    public static double[] Of(ReadOnlySpan<double> matrix, int m)
    {
        if (m < 1 || matrix.Length % m != 0)
        {
            throw new ArgumentException($"Singular values: {matrix.Length} values are not {m} rows.");
        }

        int n = matrix.Length / m;
        double[] a = matrix.ToArray(), values = new double[m];
        bool rotated = true;
        for (int sweep = 0; sweep < MaxSweeps && rotated; sweep++)
        {
            rotated = false;
            for (int p = 0; p < m - 1; p++)
            {
                for (int q = p + 1; q < m; q++)
                {
                    rotated |= Rotate(a.AsSpan(p * n, n), a.AsSpan(q * n, n));
                }
            }
        }

        for (int i = 0; i < m; i++)
        {
            values[i] = n > 0 ? TensorPrimitives.Norm<double>(a.AsSpan(i * n, n)) : 0;
        }

        Array.Sort(values);
        Array.Reverse(values);
        return values;
    }

    private static bool Rotate(Span<double> x, Span<double> y)
    {
        double first = TensorPrimitives.SumOfSquares<double>(x), second = TensorPrimitives.SumOfSquares<double>(y), both = TensorPrimitives.Dot<double>(x, y);
        if (Math.Abs(both) <= 1e-15 * Math.Sqrt(first) * Math.Sqrt(second))
        {
            return false;
        }

        double zeta = (second - first) / (2 * both);
        double tangent = (zeta >= 0 ? 1 : -1) / (Math.Abs(zeta) + double.Hypot(zeta, 1));
        double cosine = 1 / double.Hypot(tangent, 1), sine = tangent * cosine;
        for (int k = 0; k < x.Length; k++)
        {
            (double a, double b) = (x[k], y[k]);
            x[k] = (cosine * a) - (sine * b);
            y[k] = (sine * a) + (cosine * b);
        }

        return true;
    }
}
