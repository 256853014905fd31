using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>The k largest of a row by k passes over it, a row a thread: for short rows and few of them wanted (a router's).</summary>
internal struct TopKScanWork<T> : IGpuWork<TopKScanWork<T>>
    where T : unmanaged, IElement<T>
{
    public TopKRows<T> Rows;

    public static void Run(TopKScanWork<T> w)
    {
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        if (row >= w.Rows.Count)
        {
            return;
        }

        ulong before = ulong.MaxValue;
        for (int rank = 0; rank < w.Rows.K; rank++)
        {
            ulong best = 0;
            for (int column = 0; column < w.Rows.Width; column++)
            {
                ulong key = TopKRows<T>.Key(w.Rows, row, column);
                best = key < before && key > best ? key : best;
            }

            TopKRows<T>.Write(w.Rows, row, rank, best);
            before = best;
        }
    }
}
