using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>Products of a few rows with one another: what directions of rows follow from that are far fewer than their elements.</summary>
internal static class RowProducts
{
    /// <summary>X Xᵀ <c>[N, N]</c>, symmetric.</summary>
    /// <param name="rows">X <c>[N, D]</c>.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    public static double[] Of(ReadOnlySpan<double> rows, int n, int d)
    {
        var products = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                products[(i * n) + j] = products[(j * n) + i] = TensorPrimitives.Dot(rows.Slice(i * d, d), rows.Slice(j * d, d));
            }
        }

        return products;
    }
}
