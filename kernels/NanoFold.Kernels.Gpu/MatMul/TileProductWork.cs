using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>A product, batched or not, by tiles: the grid is rows of tiles, columns of tiles, batches.</summary>
internal struct TileProductWork<TIn, TOut> : IGpuWork<TileProductWork<TIn, TOut>>
    where TIn : unmanaged, IElement<TIn>
    where TOut : unmanaged, IElement<TOut>
{
    public Product<TIn, TOut> Product;

    /// <summary>Batches: y, a, b, residual.</summary>
    public Shape Batches;
    public int FirstBatch;

    public static void Run(TileProductWork<TIn, TOut> w)
    {
        int batch = w.FirstBatch + Grid.IdxZ;
        w.Product.FirstY += Shape.At(w.Batches, w.Batches.Y, batch);
        w.Product.FirstA += Shape.At(w.Batches, w.Batches.A, batch);
        w.Product.FirstB += Shape.At(w.Batches, w.Batches.B, batch);
        w.Product.FirstResidual += Shape.At(w.Batches, w.Batches.C, batch);
        ProductTile.Run(w.Product, Grid.IdxX, Grid.IdxY);
    }
}
