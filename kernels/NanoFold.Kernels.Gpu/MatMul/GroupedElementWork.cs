using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>A product per group of rows, an element of y a thread; rows of no group are left alone.</summary>
internal struct GroupedElementWork<TIn, TOut> : IGpuWork<GroupedElementWork<TIn, TOut>>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    /// <summary>M is the rows of all groups.</summary>
    public Product<TIn, TOut> Product;
    public ArrayView<int> Offsets;
    public int Groups;
    public long BGroup;

    public static void Run(GroupedElementWork<TIn, TOut> w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        int row = (int)(i / w.Product.N), column = (int)(i % w.Product.N);
        if (row < w.Offsets[0] || row >= w.Offsets[w.Groups] || row >= w.Product.M)
        {
            return;
        }

        int group = 0;
        while (row >= w.Offsets[group + 1])
        {
            group++;
        }

        w.Product.FirstB += group * w.BGroup;
        Product<TIn, TOut>.Element(w.Product, row, column);
    }
}
