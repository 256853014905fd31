using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>Makes directions orthonormal, each against those before it.</summary>
internal static class GramSchmidt
{
    // Of a row of length 1.
    private const double Dependent = 1e-10;

    /// <summary>
    /// Makes the rows of <paramref name="basis"/> <c>[count, D]</c> orthonormal. One that lies in the span of those before it becomes 0: what is left of it would be
    /// rounding, which is not orthogonal to anything.
    /// </summary>
    public static void Orthonormalize(Span<double> basis, int d)
    {
        for (int at = 0; at < basis.Length; at += d)
        {
            Span<double> row = basis.Slice(at, d);
            // Twice is enough (Kahan): what rounding left after the first time goes.
            for (int pass = 0; pass < 2 && Normalize(row, pass == 0 ? 0 : Dependent); pass++)
            {
                for (int before = 0; before < at; before += d)
                {
                    ReadOnlySpan<double> other = basis.Slice(before, d);
                    TensorPrimitives.MultiplyAdd(other, -TensorPrimitives.Dot(other, row), row, row);
                }
            }

            Normalize(row, Dependent);
        }
    }

    private static bool Normalize(Span<double> row, double least)
    {
        double norm = TensorPrimitives.Norm<double>(row);
        if (norm > least)
        {
            TensorPrimitives.Divide(row, norm, row);
            return true;
        }

        row.Clear();
        return false;
    }
}
