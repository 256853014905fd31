using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>
/// A product per group of rows by tiles; which rows is read on the device. The grid is as many rows of tiles as there can be, ⌈R / 64⌉ + E
/// (those beyond the last leave), and columns of tiles.
/// </summary>
internal struct GroupedTileWork<TIn, TOut> : IGpuWork<GroupedTileWork<TIn, TOut>>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    /// <summary>M is the rows of all groups.</summary>
    public Product<TIn, TOut> Product;
    public ArrayView<int> Offsets;
    public int Groups;
    public long BGroup;

    public static void Run(GroupedTileWork<TIn, TOut> w)
    {
        int tile = Grid.IdxX, group = 0, tiles = 0, start = 0, rows = 0;
        for (; group < w.Groups; group++)
        {
            start = w.Offsets[group];
            rows = w.Offsets[group + 1] - start;
            tiles = (rows + ProductTile.Side - 1) / ProductTile.Side;
            if (tile < tiles)
            {
                break;
            }

            tile -= tiles;
        }

        if (group >= w.Groups)
        {
            return;
        }

        w.Product.FirstA += start * w.Product.ARow;
        w.Product.FirstB += group * w.BGroup;
        w.Product.FirstY += start * w.Product.YRow;
        w.Product.M = rows;
        ProductTile.Run(w.Product, tile, Grid.IdxY);
    }
}
