namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// Eigenvalues with eigenvectors of a small real symmetric matrix, by cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 8.5): exact to the last
/// bits for small eigenvalues too, about 30 k³ operations. <see cref="SymmetricEigenvalues"/> is the one for large matrices.
/// </summary>
public static class SymmetricEigenvectors
{
    private const int MostSweeps = 60;

    /// <summary>Values, largest first, [k], and vectors in rows, [k, k].</summary>
    /// <param name="matrix"><c>[k, k]</c>, finite, symmetric. Left as it is.</param>
    /// <param name="k">k.</param>
    public static (double[] Values, double[] Vectors) Of(ReadOnlySpan<double> matrix, int k)
    {
        if (k < 1 || matrix.Length != (long)k * k)
        {
            throw new ArgumentException($"eigenvectors: expected {k} × {k} values, got {matrix.Length}");
        }

        double[] a = matrix.ToArray();
        var vectors = new double[a.Length];
        for (int i = 0; i < k; i++)
        {
            vectors[(i * k) + i] = 1;
        }

        for (int sweep = 0; sweep < MostSweeps && Sweep(a, vectors, k); sweep++)
        {
        }

        int[] order = [.. Enumerable.Range(0, k).OrderByDescending(i => a[(i * k) + i])];
        return ([.. order.Select(i => a[(i * k) + i])], [.. order.SelectMany(i => vectors.AsSpan(i * k, k).ToArray())]);
    }

    // Whether anything was left to rotate.
    private static bool Sweep(double[] a, double[] vectors, int k)
    {
        bool turned = false;
        for (int p = 0; p < k; p++)
        {
            for (int q = p + 1; q < k; q++)
            {
                double off = a[(p * k) + q], pp = a[(p * k) + p], qq = a[(q * k) + q];
                if (Math.Abs(off) > 1e-16 * Math.Sqrt(Math.Abs(pp * qq)) && Math.Abs(off) > double.Epsilon)
                {
                    turned = true;
                    double theta = (qq - pp) / (2 * off);
                    double tangent = (theta >= 0 ? 1 : -1) / (Math.Abs(theta) + double.Hypot(theta, 1));
                    double cosine = 1 / double.Hypot(tangent, 1);
                    Rotate(a, vectors, k, p, q, cosine, tangent * cosine);
                }
            }
        }

        return turned;
    }

    private static void Rotate(double[] a, double[] vectors, int k, int p, int q, double cosine, double sine)
    {
        for (int i = 0; i < k; i++)
        {
            (double x, double y) = (a[(i * k) + p], a[(i * k) + q]);
            (a[(i * k) + p], a[(i * k) + q]) = ((cosine * x) - (sine * y), (sine * x) + (cosine * y));
        }

        for (int i = 0; i < k; i++)
        {
            (double x, double y) = (a[(p * k) + i], a[(q * k) + i]);
            (a[(p * k) + i], a[(q * k) + i]) = ((cosine * x) - (sine * y), (sine * x) + (cosine * y));
            (x, y) = (vectors[(p * k) + i], vectors[(q * k) + i]);
            (vectors[(p * k) + i], vectors[(q * k) + i]) = ((cosine * x) - (sine * y), (sine * x) + (cosine * y));
        }

        a[(p * k) + q] = a[(q * k) + p] = 0;
    }
}
