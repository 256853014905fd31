using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>Four rows of four numbers in registers.</summary>
internal struct Block
{
    public Four<float> A, B, C, D;

    /// <summary>Row sums of products: this[i, j] += x_i · y_j over four of the inner dimension.</summary>
    public void AddDots(in Block x, in Block y)
    {
        A = Dots(A, x.A, y);
        B = Dots(B, x.B, y);
        C = Dots(C, x.C, y);
        D = Dots(D, x.D, y);
    }

    /// <summary>this += w · v, [4, 4] each.</summary>
    public void AddProduct(in Block w, in Block v)
    {
        A = Combine(A, w.A, v);
        B = Combine(B, w.B, v);
        C = Combine(C, w.C, v);
        D = Combine(D, w.D, v);
    }

    /// <summary>Multiplies row i by factor i.</summary>
    public void ScaleRows(in Four<float> factors)
    {
        A = Times(A, factors.A);
        B = Times(B, factors.B);
        C = Times(C, factors.C);
        D = Times(D, factors.D);
    }

    private static Four<float> Times(in Four<float> x, float factor) =>
        new() { A = x.A * factor, B = x.B * factor, C = x.C * factor, D = x.D * factor };

    private static Four<float> Dots(in Four<float> sum, in Four<float> x, in Block y) => new()
    {
        A = Dot(sum.A, x, y.A),
        B = Dot(sum.B, x, y.B),
        C = Dot(sum.C, x, y.C),
        D = Dot(sum.D, x, y.D),
    };

    private static float Dot(float sum, in Four<float> x, in Four<float> y) => x.D * y.D + (x.C * y.C + (x.B * y.B + (x.A * y.A + sum)));

    private static Four<float> Combine(in Four<float> sum, in Four<float> w, in Block v) => new()
    {
        A = w.D * v.D.A + (w.C * v.C.A + (w.B * v.B.A + (w.A * v.A.A + sum.A))),
        B = w.D * v.D.B + (w.C * v.C.B + (w.B * v.B.B + (w.A * v.A.B + sum.B))),
        C = w.D * v.D.C + (w.C * v.C.C + (w.B * v.B.C + (w.A * v.A.C + sum.C))),
        D = w.D * v.D.D + (w.C * v.C.D + (w.B * v.B.D + (w.A * v.A.D + sum.D))),
    };
}
