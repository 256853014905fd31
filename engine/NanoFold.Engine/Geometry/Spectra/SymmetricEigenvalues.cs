using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// Eigenvalues, without eigenvectors, of a real symmetric matrix: Householder reduction to tridiagonal form, then
/// the implicit QL iteration (Wilkinson and Reinsch, Handbook for Automatic Computation II, 1971).
/// About 4/3·D³ operations; leaving the vectors out is what makes it several times faster than a full solve.
/// </summary>
public static class SymmetricEigenvalues
{
    private const int MaxSweeps = 100;

    /// <summary>Eigenvalues, largest first.</summary>
    /// <param name="matrix"><c>[D, D]</c>, finite; only the lower triangle is read. Left as it is.</param>
    /// <param name="d">D.</param>
    public static double[] Of(ReadOnlySpan<double> matrix, int d)
    {
        if (d < 1 || matrix.Length != (long)d * d)
        {
            throw new ArgumentException($"Eigenvalues: expected {d} × {d} values, got {matrix.Length}.");
        }

        if (!TensorPrimitives.IsFiniteAll(matrix))
        {
            throw new ArgumentException("Eigenvalues: the matrix holds NaN or an infinity.");
        }

        // One scale for the whole matrix keeps every square below in range.
        double scale = Math.Abs(TensorPrimitives.MaxMagnitude(matrix));
        double[] diagonal = new double[d];
        if (scale == 0)
        {
            return diagonal;
        }

        double[] a = new double[matrix.Length];
        TensorPrimitives.Divide(matrix, scale, a);
        double[] off = new double[d];
        Tridiagonalize(a, d, diagonal, off);
        ImplicitQl(diagonal, off);
        TensorPrimitives.Multiply(diagonal, scale, diagonal);
        Array.Sort(diagonal);
        Array.Reverse(diagonal);
        return diagonal;
    }

    // Row i, left of the diagonal, is reflected onto its last element, from the last row up. With u the reflector and
    // h = |u|²/2: p = Au/h, q = p − u·(uᵀp)/2h, A ← A − uqᵀ − quᵀ. Only the lower triangle is read and written.
    // Out: off[i] couples i − 1 and i.
    private static void Tridiagonalize(Span<double> a, int d, Span<double> diagonal, Span<double> off)
    {
        double[] scratch = new double[d];
        for (int i = d - 1; i > 0; i--)
        {
            Span<double> u = a.Slice(i * d, i);
            diagonal[i] = a[(i * d) + i];
            double last = u[i - 1];
            double tail = TensorPrimitives.SumOfSquares<double>(u[..(i - 1)]);
            if (tail == 0)
            {
                off[i] = last;
                continue;
            }

            double norm = Math.Sqrt(tail + (last * last));
            double pivot = last >= 0 ? -norm : norm;
            off[i] = pivot;
            u[i - 1] = last - pivot;
            double h = (norm * norm) - (last * pivot);

            Span<double> q = scratch.AsSpan(0, i);
            q.Clear();
            for (int j = 0; j < i; j++)
            {
                ReadOnlySpan<double> row = a.Slice(j * d, j);
                TensorPrimitives.MultiplyAdd(row, u[j], q[..j], q[..j]);
                q[j] = TensorPrimitives.Dot(row, u[..j]) + (a[(j * d) + j] * u[j]);
            }

            double half = TensorPrimitives.Dot<double>(q, u) / (2 * h);
            TensorPrimitives.MultiplyAdd(u, -half, q, q);
            TensorPrimitives.Divide(q, h, q);
            for (int j = 0; j < i; j++)
            {
                Span<double> row = a.Slice(j * d, j + 1);
                TensorPrimitives.MultiplyAdd(q[..(j + 1)], -u[j], row, row);
                TensorPrimitives.MultiplyAdd(u[..(j + 1)], -q[j], row, row);
            }
        }

        diagonal[0] = a[0];
    }

    private static void ImplicitQl(Span<double> diagonal, Span<double> off)
    {
        int d = diagonal.Length;
        off[1..].CopyTo(off); // now off[i] couples i and i + 1
        off[d - 1] = 0;
        for (int low = 0; low < d; low++)
        {
            for (int sweep = 0; ; sweep++)
            {
                int high = low;
                while (high < d - 1 && Math.Abs(off[high]) > double.Epsilon
                    && Math.Abs(off[high]) > 1.1e-16 * (Math.Abs(diagonal[high]) + Math.Abs(diagonal[high + 1])))
                {
                    high++;
                }

                if (high == low)
                {
                    break;
                }

                if (sweep == MaxSweeps)
                {
                    throw new ArithmeticException($"Eigenvalues: no convergence after {MaxSweeps} sweeps at {low} of {d}.");
                }

                Sweep(diagonal, off, low, high);
            }
        }
    }

    // One QL sweep of rotations from high to low, with Wilkinson's shift.
    private static void Sweep(Span<double> diagonal, Span<double> off, int low, int high)
    {
        double g = (diagonal[low + 1] - diagonal[low]) / (2 * off[low]);
        double r = double.Hypot(g, 1);
        g = diagonal[high] - diagonal[low] + (off[low] / (g + (g >= 0 ? r : -r)));
        double sine = 1;
        double cosine = 1;
        double carried = 0;
        for (int i = high - 1; i >= low; i--)
        {
            double f = sine * off[i];
            double b = cosine * off[i];
            r = Math.Sqrt((f * f) + (g * g));
            off[i + 1] = r;
            if (r == 0)
            {
                // An underflow split the matrix here: undo the carried shift and start again below.
                diagonal[i + 1] -= carried;
                off[high] = 0;
                return;
            }

            sine = f / r;
            cosine = g / r;
            g = diagonal[i + 1] - carried;
            r = ((diagonal[i] - g) * sine) + (2 * cosine * b);
            carried = sine * r;
            diagonal[i + 1] = g + carried;
            g = (cosine * r) - b;
        }

        diagonal[low] -= carried;
        off[low] = g;
        off[high] = 0;
    }
}
