using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.TopK;

/// <summary>Backward pass of top-k attention, a group for a query of one head: weights of the keys kept and the gradients of their scores [B, H, T, k], and dq.</summary>
internal struct TopKQueryWork<T> : IGpuWork<TopKQueryWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, DY, DQ;
    public ScoreGradient Rows;
    public ArrayView<int> Kept;
    public ArrayView<float> Weights, Gradients;
    public int Heads, GroupHeads, Keep, Accumulate;

    public static void Run(TopKQueryWork<T> w)
    {
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        int query = Grid.IdxX % w.Rows.Seen.Time, pair = Grid.IdxX / w.Rows.Seen.Time;
        int batch = pair / w.Heads, head = pair % w.Heads, keyHead = head / w.GroupHeads;
        ScoreGradient scores = w.Rows;
        scores.Seen = w.Rows.Seen.InRow(batch);
        long first = (long)Grid.IdxX * w.Keep;
        ArrayView<int> kept = w.Kept.SubView(first, w.Keep);
        ArrayView<float> gradients = w.Gradients.SubView(first, w.Keep);
        int count = 0;
        while (count < w.Keep && kept[count] >= 0)
        {
            count++;
        }

        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            // Indices come from memory that others may write to: hidden or impossible ones have no weight.
            int key = kept[i];
            float weight = 0, gradient = 0;
            if (key < w.Rows.Seen.Keys)
            {
                float score = RowWeights.Dot(w.Q, w.Q.Row(batch, query, head), w.K, w.K.Row(batch, key, keyHead));
                float dp = RowWeights.Dot(w.DY, w.DY.Row(batch, query, head), w.V, w.V.Row(batch, key, keyHead));
                weight = scores.Weight(score, batch, pair, query, key);
                gradient = scores.OfWeight(weight, dp, pair, query) * w.Rows.Scale;
            }

            w.Weights[first + i] = weight;
            gradients[i] = gradient;
        }

        Group.Barrier();
        RowWeights.Combine(
            sums, gradients, count, new ListedKeys { Keys = kept }, w.K, batch, keyHead, w.DQ, w.DQ.Row(batch, query, head), 1, w.Accumulate);
    }
}

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
