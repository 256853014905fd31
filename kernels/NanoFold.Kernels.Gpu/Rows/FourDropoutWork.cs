using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>As <see cref="DropoutWork{T}"/>, over contiguous memory.</summary>
internal struct FourDropoutWork<T> : IGpuWork<FourDropoutWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<Four<T>> X, Y;
    public int Fours;
    public DropoutDraw Draw;
    public int Accumulate;

    public static void Run(FourDropoutWork<T> w)
    {
        ulong key = DropoutDraw.Key(w.Draw);
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Fours)
        {
            return;
        }

        Four<float> factor = DropoutDraw.Factors(w.Draw, key, i);
        Four<T> x = w.X[i], y = default;
        if (w.Accumulate != 0)
        {
            y = w.Y[i];
        }

        y.A = One(w.Accumulate, x.A, factor.A, y.A);
        y.B = One(w.Accumulate, x.B, factor.B, y.B);
        y.C = One(w.Accumulate, x.C, factor.C, y.C);
        y.D = One(w.Accumulate, x.D, factor.D, y.D);
        w.Y[i] = y;
    }

    private static T One(int accumulate, T x, float factor, T y) => T.Write(accumulate != 0 ? T.Read(y) + T.Read(x) * factor : T.Read(x) * factor);
}
