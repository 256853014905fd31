using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// The one product behind second moments and distances: an 8 × 8 tile of <c>AᵀB</c> in double precision.
/// Operands are panels <c>[K, 8]</c>: eight columns side by side, K rows one after another.
/// </summary>
internal static class GramTile
{
    /// <summary>Columns of a panel, and rows and columns of a tile.</summary>
    public const int Width = 8;

    /// <summary>Rounds <paramref name="n"/> up to whole panels.</summary>
    public static int Pad(int n) => (n + Width - 1) / Width * Width;

    /// <summary>c[i, j] += Σ_k a[k, i] · b[k, j] for the 8 × 8 tile at the start of <paramref name="c"/>.</summary>
    /// <param name="a">Panel <c>[K, 8]</c>.</param>
    /// <param name="b">Panel <c>[K, 8]</c>.</param>
    /// <param name="c">Starts at the tile's first element; rows are <paramref name="stride"/> apart.</param>
    /// <param name="stride">Row stride of <paramref name="c"/>, in elements.</param>
    public static void Add(ReadOnlySpan<double> a, ReadOnlySpan<double> b, Span<double> c, int stride)
    {
        AddHalf(a, b, c, stride);
        AddHalf(a[(Width / 2)..], b, c[(Width / 2 * stride)..], stride);
    }

    // Four rows by two vectors: eight independent sums cover the multiply-add latency and, with two loads and
    // four broadcasts, stay within sixteen registers. Column j of the tile is always lane j of the sums.
    private static void AddHalf(ReadOnlySpan<double> a, ReadOnlySpan<double> b, Span<double> c, int stride)
    {
        ReadOnlySpan<Vector256<double>> pairs = MemoryMarshal.Cast<double, Vector256<double>>(b);
        Vector256<double> s00 = default, s01 = default, s10 = default, s11 = default;
        Vector256<double> s20 = default, s21 = default, s30 = default, s31 = default;
        while (pairs.Length >= 2)
        {
            Vector256<double> b0 = pairs[0];
            Vector256<double> b1 = pairs[1];
            ReadOnlySpan<double> four = a[..4];
            Vector256<double> x = Vector256.Create(four[0]);
            s00 = Vector256.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector256.MultiplyAddEstimate(x, b1, s01);
            x = Vector256.Create(four[1]);
            s10 = Vector256.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector256.MultiplyAddEstimate(x, b1, s11);
            x = Vector256.Create(four[2]);
            s20 = Vector256.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector256.MultiplyAddEstimate(x, b1, s21);
            x = Vector256.Create(four[3]);
            s30 = Vector256.MultiplyAddEstimate(x, b0, s30);
            s31 = Vector256.MultiplyAddEstimate(x, b1, s31);
            pairs = pairs[2..];
            a = a.Length > Width ? a[Width..] : default;
        }

        AddRow(s00, s01, c);
        AddRow(s10, s11, c[stride..]);
        AddRow(s20, s21, c[(2 * stride)..]);
        AddRow(s30, s31, c[(3 * stride)..]);
    }

    private static void AddRow(Vector256<double> left, Vector256<double> right, Span<double> row)
    {
        Span<Vector256<double>> pair = MemoryMarshal.Cast<double, Vector256<double>>(row[..Width]);
        pair[0] += left;
        pair[1] += right;
    }
}
