using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.TopK;

/// <summary>
/// dx[key] = Σ weight · row over the queries that kept the key: dk of gradients and queries, dv of weights and dy. A thread owns a column of
/// a block of keys and goes through the lists of all queries in order. Grid: batch · key head, block of keys, chunk of columns.
/// </summary>
internal struct TopKKeyWork<T> : IGpuWork<TopKKeyWork<T>>
    where T : unmanaged, IElement<T>
{
    public const int Keys = 32;
    public const int MostThreads = 64;

    public HeadView<T> X, DX;
    public ArrayView<int> Kept;
    public ArrayView<float> Weights;
    public VisibleView Seen;
    public int KeyHeads, GroupHeads, Keep, Accumulate;

    public static void Run(TopKKeyWork<T> w)
    {
        ArrayView<float> sums = SharedMemory.Allocate<float>(Keys * MostThreads);
        int batch = Grid.IdxX / w.KeyHeads, keyHead = Grid.IdxX % w.KeyHeads;
        int first = Grid.IdxY * Keys, own = Group.IdxX, column = Grid.IdxZ * Group.DimX + own;
        bool isThere = column < w.X.Depth;
        for (int i = 0; i < Keys; i++)
        {
            sums[i * MostThreads + own] = 0;
        }

        VisibleView seen = w.Seen.InRow(batch);
        int last = IntrinsicMath.Min(first + Keys, seen.Keys) - 1, start = IntrinsicMath.Max(seen.Rule.QueryStart(first) - seen.Shift, 0);
        int end = IntrinsicMath.Min(first < seen.Rule.Sinks ? seen.Time : seen.Rule.QueryEnd(last) - seen.Shift, seen.Time);
        for (int i = 0; i < w.GroupHeads; i++)
        {
            int head = keyHead * w.GroupHeads + i, pair = batch * (w.KeyHeads * w.GroupHeads) + head;
            for (int query = start; query < end; query++)
            {
                long list = ((long)pair * seen.Time + query) * w.Keep;
                for (int r = 0; r < w.Keep; r++)
                {
                    int key = w.Kept[list + r] - first;
                    if (key >= 0 && key < Keys && isThere)
                    {
                        sums[key * MostThreads + own] += w.Weights[list + r] * T.Read(w.X.Memory[w.X.Row(batch, query, head) + column]);
                    }
                }
            }
        }

        for (int i = 0; i < Keys; i++)
        {
            if (isThere && first + i < seen.Keys)
            {
                long at = w.DX.Row(batch, first + i, keyHead) + column;
                float sum = sums[i * MostThreads + own];
                w.DX.Memory[at] = T.Write(w.Accumulate != 0 ? T.Read(w.DX.Memory[at]) + sum : sum);
            }
        }
    }
}
