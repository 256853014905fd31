using ILGPU;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>y = the same bits everywhere.</summary>
internal struct FillWork<T> : IGpuWork<FillWork<T>>
    where T : unmanaged
{
    public Shape Shape;
    public ArrayView<T> Y;
    public T Value;

    public static void Run(FillWork<T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Shape.Count)
        {
            w.Y[Shape.At(w.Shape, w.Shape.Y, i)] = w.Value;
        }
    }
}
