using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// Principal angles between two subspaces (Jordan 1875; by cosines and, below 45°, by sines: Björck and Golub 1973). 0 in each direction that both share, π/2 in each
/// that is foreign to the other.
/// </summary>
public static class PrincipalAngles
{
    /// <summary>The angles in radians, ascending: as many as the smaller subspace has dimensions.</summary>
    /// <param name="first"><c>[P, D]</c>, orthonormal rows.</param>
    /// <param name="second"><c>[Q, D]</c>, orthonormal rows.</param>
    /// <param name="d">D.</param>
    public static double[] Between(ReadOnlySpan<double> first, ReadOnlySpan<double> second, int d)
    {
        if (d < 1 || first.Length % d != 0 || second.Length % d != 0 || first.IsEmpty || second.IsEmpty)
        {
            throw new ArgumentException($"Principal angles: {first.Length} and {second.Length} values are not rows of {d}.");
        }

        if (first.Length < second.Length)
        {
            return Between(second, first, d);
        }

        int p = first.Length / d, q = second.Length / d;
        double[] products = new double[q * p], rest = second.ToArray();
        for (int i = 0; i < q; i++)
        {
            for (int j = 0; j < p; j++)
            {
                double product = TensorPrimitives.Dot(second.Slice(i * d, d), first.Slice(j * d, d));
                products[(i * p) + j] = product;
                TensorPrimitives.MultiplyAdd(first.Slice(j * d, d), -product, rest.AsSpan(i * d, d), rest.AsSpan(i * d, d));
            }
        }

        double[] cosines = SmallSingularValues.Of(products, q), sines = SmallSingularValues.Of(rest, q), angles = new double[q];
        for (int i = 0; i < q; i++)
        {
            double sine = sines[q - 1 - i];
            angles[i] = cosines[i] * cosines[i] < 0.5 ? Math.Acos(Math.Clamp(cosines[i], 0, 1)) : Math.Asin(Math.Clamp(sine, 0, 1));
        }

        return angles;
    }

    /// <summary>Mean squared cosine of the angles: 1 where the smaller subspace lies within the larger, about P/D for a random one of P dimensions beside any other.</summary>
    public static double Overlap(ReadOnlySpan<double> angles)
    {
        double sum = 0;
        foreach (double angle in angles)
        {
            sum += Math.Cos(angle) * Math.Cos(angle);
        }

        return sum / angles.Length;
    }
}
