using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>y = x (+ y), from one type of real number to another, any strides.</summary>
internal struct CopyWork<TFrom, TTo> : IGpuWork<CopyWork<TFrom, TTo>>
    where TFrom : unmanaged, IElement<TFrom>
    where TTo : unmanaged, IElement<TTo>
{
    public Shape Shape;
    public ArrayView<TFrom> X;
    public ArrayView<TTo> Y;
    public int Accumulate;

    public static void Run(CopyWork<TFrom, TTo> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Shape.Count)
        {
            return;
        }

        float x = TFrom.Read(w.X[Shape.At(w.Shape, w.Shape.A, i)]);
        long at = Shape.At(w.Shape, w.Shape.Y, i);
        w.Y[at] = TTo.Write(w.Accumulate != 0 ? TTo.Read(w.Y[at]) + x : x);
    }
}
