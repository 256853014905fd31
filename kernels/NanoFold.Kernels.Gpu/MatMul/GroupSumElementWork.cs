using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.MatMul;

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
