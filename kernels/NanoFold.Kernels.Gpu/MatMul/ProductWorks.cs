using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>A product, batched or not, an element of y a thread: for few rows or columns, and for the simulator, to which barriers cost most.</summary>
internal struct ElementProductWork<TIn, TOut> : IGpuWork<ElementProductWork<TIn, TOut>>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    public Product<TIn, TOut> Product;

    /// <summary>Batches: y, a, b, residual.</summary>
    public Nest Batches;

    public static void Run(ElementProductWork<TIn, TOut> w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX, elements = (long)w.Product.M * w.Product.N;
        int batch = (int)(i / elements), element = (int)(i % elements);
        if (batch >= w.Batches.Count)
        {
            return;
        }

        w.Product.FirstY += Nest.At(w.Batches, w.Batches.Y, batch);
        w.Product.FirstA += Nest.At(w.Batches, w.Batches.A, batch);
        w.Product.FirstB += Nest.At(w.Batches, w.Batches.B, batch);
        w.Product.FirstResidual += Nest.At(w.Batches, w.Batches.C, batch);
        Product<TIn, TOut>.Element(w.Product, element / w.Product.N, element % w.Product.N);
    }
}

/// <summary>A product, batched or not, by tiles: the grid is rows of tiles, columns of tiles, batches.</summary>
internal struct TileProductWork<TIn, TOut> : IGpuWork<TileProductWork<TIn, TOut>>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    public Product<TIn, TOut> Product;

    /// <summary>Batches: y, a, b, residual.</summary>
    public Nest Batches;
    public int FirstBatch;

    public static void Run(TileProductWork<TIn, TOut> w)
    {
        int batch = w.FirstBatch + Grid.IdxZ;
        w.Product.FirstY += Nest.At(w.Batches, w.Batches.Y, batch);
        w.Product.FirstA += Nest.At(w.Batches, w.Batches.A, batch);
        w.Product.FirstB += Nest.At(w.Batches, w.Batches.B, batch);
        w.Product.FirstResidual += Nest.At(w.Batches, w.Batches.C, batch);
        ProductTile.Run(w.Product, Grid.IdxX, Grid.IdxY);
    }
}

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

/// <summary>y[e] = a[rows of e]ᵀ · b[rows of e], an element of y a thread.</summary>
internal struct GroupSumElementWork<TIn, TOut> : IGpuWork<GroupSumElementWork<TIn, TOut>>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    public Product<TIn, TOut> Product;
    public ArrayView<int> Offsets;
    public int Groups;
    public long YGroup;

    public static void Run(GroupSumElementWork<TIn, TOut> w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX, elements = (long)w.Product.M * w.Product.N;
        int group = (int)(i / elements), element = (int)(i % elements);
        if (group >= w.Groups)
        {
            return;
        }

        int start = w.Offsets[group];
        w.Product.K = w.Offsets[group + 1] - start;
        w.Product.FirstA += start * w.Product.AStep;
        w.Product.FirstB += start * w.Product.BStep;
        w.Product.FirstY += group * w.YGroup;
        Product<TIn, TOut>.Element(w.Product, element / w.Product.N, element % w.Product.N);
    }
}

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
