using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Rows;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>Σ x² of contiguous memory, one double a group. Four squares are added in single precision: doubles are slow on many GPUs.</summary>
internal struct SquareSumWork : IGpuWork<SquareSumWork>
{
    public ArrayView<F32> X;
    public ArrayView<double> Sums;
    public int Count, IsWide;

    public static void Run(SquareSumWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        int pieces = (w.Count + 3) / 4, stride = Grid.DimX * Group.DimX;
        for (int i = Grid.IdxX * Group.DimX + Group.IdxX; i < pieces; i += 2 * stride)
        {
            Quad a = Piece.Load(w.X, 0, i, w.Count, w.IsWide), b = Piece.Load(w.X, 0, i + stride, w.Count, w.IsWide);
            sum += (double)Quad.Dot(a, a) + Quad.Dot(b, b);
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            w.Sums[Grid.IdxX] = sum;
        }
    }
}
