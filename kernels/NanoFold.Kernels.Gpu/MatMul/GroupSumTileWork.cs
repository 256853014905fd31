using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>y[e] = a[rows of e]ᵀ · b[rows of e] by tiles: the grid is rows of tiles, columns of tiles, groups. How deep a product is is read on the device.</summary>
internal struct GroupSumTileWork<TIn, TOut> : IGpuWork<GroupSumTileWork<TIn, TOut>>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    public Product<TIn, TOut> Product;
    public ArrayView<int> Offsets;
    public long YGroup;

    public static void Run(GroupSumTileWork<TIn, TOut> w)
    {
        int group = Grid.IdxZ, start = w.Offsets[group];
        w.Product.K = w.Offsets[group + 1] - start;
        w.Product.FirstA += start * w.Product.AStep;
        w.Product.FirstB += start * w.Product.BStep;
        w.Product.FirstY += group * w.YGroup;
        ProductTile.Run(w.Product, Grid.IdxX, Grid.IdxY);
    }
}
