using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>y = x (+ y), from one type of real number to another, contiguous and aligned to four elements, four a thread.</summary>
internal struct FlatCopyWork<TFrom, TTo> : IGpuWork<FlatCopyWork<TFrom, TTo>>
    where TFrom : unmanaged, IElement<TFrom>
    where TTo : unmanaged, IElement<TTo>
{
    public ArrayView<Four<TFrom>> X;
    public ArrayView<Four<TTo>> Y;
    public int Fours, Accumulate;

    public static void Run(FlatCopyWork<TFrom, TTo> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Fours)
        {
            return;
        }

        Four<TFrom> x = w.X[i];
        Four<TTo> y = default;
        if (w.Accumulate != 0)
        {
            y = w.Y[i];
        }

        y.A = One(w, x.A, y.A);
        y.B = One(w, x.B, y.B);
        y.C = One(w, x.C, y.C);
        y.D = One(w, x.D, y.D);
        w.Y[i] = y;
    }

    private static TTo One(in FlatCopyWork<TFrom, TTo> w, TFrom x, TTo y)
        => TTo.Write(w.Accumulate != 0 ? TTo.Read(y) + TFrom.Read(x) : TFrom.Read(x));
}
