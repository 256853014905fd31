using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>Values of four places of a column.</summary>
internal static class FourPlaces
{
    public static Vector4<float> Fma(in Vector4<float> x, float factor, in Vector4<float> sum) =>
        new() { A = x.A * factor + sum.A, B = x.B * factor + sum.B, C = x.C * factor + sum.C, D = x.D * factor + sum.D };

    public static float Dot(in Vector4<float> x, in Vector4<float> y) => (x.A * y.A + x.B * y.B) + (x.C * y.C + x.D * y.D);

    /// <summary>Four rows of one column, <paramref name="stride"/> apart, each times a factor of its place.</summary>
    public static Vector4<float> Of(ArrayView<float> x, int at, int stride, ArrayView<float> factors, int place) => new()
    {
        A = factors[place] * x[at],
        B = factors[place + 1] * x[at + stride],
        C = factors[place + 2] * x[at + 2 * stride],
        D = factors[place + 3] * x[at + 3 * stride],
    };

    /// <summary>Writes them <paramref name="stride"/> apart, or adds where it is not the first time.</summary>
    public static void Put(ArrayView<float> target, int at, int stride, in Vector4<float> x, int isFirst)
    {
        float a = 0, b = 0, c = 0, d = 0;
        if (isFirst == 0)
        {
            a = target[at];
            b = target[at + stride];
            c = target[at + 2 * stride];
            d = target[at + 3 * stride];
        }

        target[at] = a + x.A;
        target[at + stride] = b + x.B;
        target[at + 2 * stride] = c + x.C;
        target[at + 3 * stride] = d + x.D;
    }
}

/// <summary>The sixteen values of a column, in registers.</summary>
internal struct SixteenPlaces
{
    public Vector4<float> A, B, C, D;

    /// <summary>Column j of rows that are <paramref name="stride"/> apart, each times a factor of its place.</summary>
    public static SixteenPlaces Of(ArrayView<float> x, int j, int stride, ArrayView<float> factors) => new()
    {
        A = FourPlaces.Of(x, j, stride, factors, 0),
        B = FourPlaces.Of(x, j + 4 * stride, stride, factors, 4),
        C = FourPlaces.Of(x, j + 8 * stride, stride, factors, 8),
        D = FourPlaces.Of(x, j + 12 * stride, stride, factors, 12),
    };

    /// <summary>The sum of products with a row of sixteen in shared memory.</summary>
    public readonly float Dot(ArrayView<Vector4<float>> row, int at) =>
        (FourPlaces.Dot(row[at], A) + FourPlaces.Dot(row[at + 1], B)) + (FourPlaces.Dot(row[at + 2], C) + FourPlaces.Dot(row[at + 3], D));
}
