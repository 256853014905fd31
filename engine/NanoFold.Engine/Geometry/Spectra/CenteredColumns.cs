using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>Rows <c>[N, D]</c>, centered, in double precision, eight columns to a panel: ready for <c>XᵀY</c>.</summary>
internal sealed class CenteredColumns
{
    private readonly double[] _panels; // [⌈D/8⌉, N, 8]
    private readonly int _padded;

    public CenteredColumns(ReadOnlySpan<float> rows, int n, int d)
    {
        Rows = n;
        _padded = GramTile.Pad(d);
        _panels = new double[checked(_padded * n)];
        SquaredNorms = new double[n];
        double[] mean = new double[_padded];
        double[] row = new double[_padded];
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.ConvertChecked(rows.Slice(i * d, d), row.AsSpan(0, d));
            TensorPrimitives.Add<double>(mean, row, mean);
        }

        TensorPrimitives.Divide(mean, n, mean);
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.ConvertChecked(rows.Slice(i * d, d), row.AsSpan(0, d));
            TensorPrimitives.Subtract<double>(row, mean, row);
            SquaredNorms[i] = TensorPrimitives.SumOfSquares<double>(row);
            for (int p = 0; p < _padded; p += GramTile.Width)
            {
                row.AsSpan(p, GramTile.Width).CopyTo(_panels.AsSpan((p * n) + (i * GramTile.Width)));
            }
        }

        // The bound of StreamingMoments.Status: below it there is only rounding.
        double variance = TensorPrimitives.Sum<double>(SquaredNorms);
        IsConstant = variance <= 1e-28 * n * TensorPrimitives.SumOfSquares<double>(mean);
    }

    /// <summary>N.</summary>
    public int Rows { get; }

    /// <summary>‖xᵢ‖² after centering, <c>[N]</c>.</summary>
    public double[] SquaredNorms { get; }

    /// <summary>Whether all rows are equal.</summary>
    public bool IsConstant { get; }

    /// <summary>‖XᵀY‖²_F.</summary>
    public static double SquaredProduct(CenteredColumns x, CenteredColumns y)
    {
        int length = x.Rows * GramTile.Width;
        Span<double> tile = stackalloc double[GramTile.Width * GramTile.Width];
        double sum = 0;
        for (int i = 0; i < x._padded; i += GramTile.Width)
        {
            for (int j = 0; j < y._padded; j += GramTile.Width)
            {
                tile.Clear();
                GramTile.Add(
                    x._panels.AsSpan(i * x.Rows, length), y._panels.AsSpan(j * y.Rows, length), tile, GramTile.Width);
                sum += TensorPrimitives.SumOfSquares<double>(tile);
            }
        }

        return sum;
    }
}
