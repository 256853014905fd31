using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>Σ x of contiguous memory, one double a group; four loads of a thread are under way at a time.</summary>
internal struct ReadSumWork<T> : IGpuWork<ReadSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X;
    public ArrayView<double> Sums;
    public int Count, IsWide;

    public static void Run(ReadSumWork<T> w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        int stride = Grid.DimX * Group.DimX;
        for (int i = Grid.IdxX * Group.DimX + Group.IdxX; i < (w.Count + 3) / 4; i += 4 * stride)
        {
            Quad a = Piece.Load(w.X, 0, i, w.Count, w.IsWide), b = Piece.Load(w.X, 0, i + stride, w.Count, w.IsWide);
            Quad c = Piece.Load(w.X, 0, i + 2 * stride, w.Count, w.IsWide), d = Piece.Load(w.X, 0, i + 3 * stride, w.Count, w.IsWide);
            sum += Quad.Sum(a + b + (c + d));
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            w.Sums[Grid.IdxX] = sum;
        }
    }
}
