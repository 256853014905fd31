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
    public Shape Batches;

    public static void Run(ElementProductWork<TIn, TOut> w)
    {
        long i = (long)Grid.IdxX * Group.DimX + Group.IdxX, elements = (long)w.Product.M * w.Product.N;
        int batch = (int)(i / elements), element = (int)(i % elements);
        if (batch >= w.Batches.Count)
        {
            return;
        }

        w.Product.FirstY += Shape.At(w.Batches, w.Batches.Y, batch);
        w.Product.FirstA += Shape.At(w.Batches, w.Batches.A, batch);
        w.Product.FirstB += Shape.At(w.Batches, w.Batches.B, batch);
        w.Product.FirstResidual += Shape.At(w.Batches, w.Batches.C, batch);
        Product<TIn, TOut>.Element(w.Product, element / w.Product.N, element % w.Product.N);
    }
}
