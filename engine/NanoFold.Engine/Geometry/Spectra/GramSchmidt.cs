using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>Makes directions orthonormal, each against those before it.</summary>
internal static class GramSchmidt
{
    /// <summary>Makes the rows of <paramref name="basis"/> <c>[count, D]</c> orthonormal; one that lies in the span of those before it becomes rounding, and stays 0 if it is.</summary>
    public static void Orthonormalize(Span<double> basis, int d)
    {
        for (int at = 0; at < basis.Length; at += d)
        {
            Span<double> row = basis.Slice(at, d);
            // Twice is enough (Kahan): what rounding left after the first time goes.
            for (int pass = 0; pass < 2; pass++)
            {
                for (int before = 0; before < at; before += d)
                {
                    ReadOnlySpan<double> other = basis.Slice(before, d);
                    TensorPrimitives.MultiplyAdd(other, -TensorPrimitives.Dot(other, row), row, row);
                }
            }

            double norm = TensorPrimitives.Norm<double>(row);
            if (norm > 0)
            {
                TensorPrimitives.Divide(row, norm, row);
            }
        }
    }
}
