using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Sums over a group's rows of balance · ⟨f, p⟩ + z · logsumexp(logits)², f read from the offsets.</summary>
internal struct RouterLossWork<T> : IGpuWork<RouterLossWork<T>>
    where T : unmanaged, IElement<T>
{
    public RouterRow<T> Row;
    public ArrayView<int> Offsets;
    public ArrayView<double> Partial;

    public static void Run(RouterLossWork<T> w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        float loss = 0;
        if (row < w.Row.Rows)
        {
            float product = 0, logSumExp = RouterRow<T>.LogSumExp(w.Row, row);
            for (int e = 0; e < w.Row.Experts; e++)
            {
                product += RouterLoadWork.Share(w.Offsets, e, w.Row.Experts) * RouterRow<T>.Probability(w.Row, row, e);
            }

            loss = w.Row.Balance * product + w.Row.Z * logSumExp * logSumExp;
        }

        double sum = GroupReduce.Sum(shared, loss);
        if (Group.IdxX == 0)
        {
            w.Partial[Grid.IdxX] = sum;
        }
    }
}
