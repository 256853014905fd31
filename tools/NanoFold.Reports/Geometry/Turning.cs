namespace NanoFold.Reports.Geometry;

/// <summary>Turns points so that they lie on others as well as they can: orthogonal Procrustes.</summary>
internal static class Turning
{
    private const int Rounds = 60;

    /// <summary>Points [N, k], turned or mirrored by the orthogonal matrix nearest to XᵀY; as they are where k is not 3 or there is no such matrix.</summary>
    /// <param name="points">X, [N, k].</param>
    /// <param name="target">Y, [N, k].</param>
    /// <param name="k">Numbers of a point.</param>
    public static double[] Onto(double[] points, double[] target, int k)
    {
        if (k != 3)
        {
            return points;
        }

        var q = new double[9];
        for (int i = 0; i < points.Length; i += 3)
        {
            for (int row = 0; row < 3; row++)
            {
                for (int column = 0; column < 3; column++)
                {
                    q[(row * 3) + column] += points[i + row] * target[i + column];
                }
            }
        }

        // Newton's iteration for the polar decomposition: Q ← (Q + Q⁻ᵀ)/2 (Higham 1986).
        double scale = Math.Sqrt(q.Sum(value => value * value));
        q = [.. q.Select(value => value / scale)];
        for (int round = 0; round < Rounds; round++)
        {
            if (InverseTransposed(q) is not { } inverse)
            {
                return points;
            }

            q = [.. q.Zip(inverse, (a, b) => (a + b) / 2)];
        }

        var turned = new double[points.Length];
        for (int i = 0; i < points.Length; i += 3)
        {
            for (int column = 0; column < 3; column++)
            {
                turned[i + column] = (points[i] * q[column]) + (points[i + 1] * q[3 + column]) + (points[i + 2] * q[6 + column]);
            }
        }

        return turned;
    }

    // Of 3 × 3: cofactors over the determinant.
    private static double[]? InverseTransposed(double[] m)
    {
        double Cofactor(int row, int column)
        {
            double At(int i, int j) => m[((row + i) % 3 * 3) + ((column + j) % 3)];
            return (At(1, 1) * At(2, 2)) - (At(1, 2) * At(2, 1));
        }

        double[] cofactors = [.. Enumerable.Range(0, 9).Select(i => Cofactor(i / 3, i % 3))];
        double determinant = (m[0] * cofactors[0]) + (m[1] * cofactors[1]) + (m[2] * cofactors[2]);
        return double.IsFinite(determinant) && Math.Abs(determinant) > 1e-14 ? [.. cofactors.Select(value => value / determinant)] : null;
    }
}
