using ILGPU;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>y = x bit by bit, for elements of any type.</summary>
internal struct MoveWork<T> : IGpuWork<MoveWork<T>>
    where T : unmanaged
{
    public Shape Shape;
    public ArrayView<T> X;
    public ArrayView<T> Y;

    public static void Run(MoveWork<T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Shape.Count)
        {
            w.Y[Shape.At(w.Shape, w.Shape.Y, i)] = w.X[Shape.At(w.Shape, w.Shape.A, i)];
        }
    }
}
