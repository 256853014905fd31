using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>
/// Backward pass of attention over lists of keys, a group for a query of one head: weights of its keys and the gradients of their scores, [B, H, T] rows as
/// long as a list, and dq.
/// </summary>
internal struct KeyListQueryWork<T> : IGpuWork<KeyListQueryWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, DY, DQ;
    public ScoreGradient Rows;
    public ListView Kept;
    public ArrayView<float> Weights, Gradients;
    public int Heads, GroupHeads, Accumulate;

    public static void Run(KeyListQueryWork<T> w)
    {
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        int query = Grid.IdxX % w.Rows.Seen.Time, pair = Grid.IdxX / w.Rows.Seen.Time;
        int batch = pair / w.Heads, head = pair % w.Heads, keyHead = head / w.GroupHeads, length = w.Kept.Length;
        ScoreGradient scores = w.Rows;
        scores.Seen = w.Rows.Seen.InRow(batch);
        long first = (long)Grid.IdxX * length;
        ListOrder keys = default;
        keys.View = w.Kept;
        keys.First = w.Kept.First(batch, head, query);
        ArrayView<float> gradients = w.Gradients.SubView(first, length);
        for (int i = Group.IdxX; i < length; i += Group.DimX)
        {
            int key = keys.KeyAt(i);
            float weight = 0, gradient = 0;
            if (key >= 0)
            {
                float score = RowWeights.Dot(w.Q, w.Q.Row(batch, query, head), w.K, w.K.Row(batch, key, keyHead));
                float dp = RowWeights.Dot(w.DY, w.DY.Row(batch, query, head), w.V, w.V.Row(batch, key, keyHead));
                weight = scores.Weight(score, batch, pair, query, key);
                gradient = scores.OfWeight(weight, dp, pair, query) * w.Rows.Scale;
            }

            w.Weights[first + i] = weight;
            gradients[i] = gradient;
        }

        if (!w.DQ.IsNone)
        {
            Group.Barrier();
            RowWeights.Combine(sums, gradients, length, keys, w.K, batch, keyHead, w.DQ, w.DQ.Row(batch, query, head), 1, w.Accumulate);
        }
    }
}

/// <summary>
/// dx[key] = Σ weight · row over the queries whose lists name the key: dk of gradients and queries, dv of weights and dy. A thread owns a column of
/// a block of keys and looks these up in the lists of all queries in order. Grid: batch · key head, block of keys, chunk of columns.
/// </summary>
internal struct KeyListKeyWork<T> : IGpuWork<KeyListKeyWork<T>>
    where T : unmanaged, IElement<T>
{
    public const int Keys = 32;
    public const int MostThreads = 64;

    public HeadView<T> X, DX;
    public ListView Kept;
    public ArrayView<float> Weights;
    public VisibleView Seen;
    public int KeyHeads, GroupHeads, Accumulate;

    /// <summary>Only queries in [FirstQuery, EndQuery) are looked at; the weights are [B, H, WeightRows, n] from the first on.</summary>
    public int FirstQuery, EndQuery, WeightRows;

    public static void Run(KeyListKeyWork<T> w)
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
        int last = IntrinsicMath.Min(first + Keys, seen.Keys) - 1, start = IntrinsicMath.Max(seen.Rule.QueryStart(first) - seen.Shift, w.FirstQuery);
        int end = IntrinsicMath.Min(first < seen.Rule.Sinks ? seen.Time : seen.Rule.QueryEnd(last) - seen.Shift, w.EndQuery);
        for (int i = 0; i < w.GroupHeads; i++)
        {
            int head = keyHead * w.GroupHeads + i, pair = batch * (w.KeyHeads * w.GroupHeads) + head;
            for (int query = start; query < end && isThere; query++)
            {
                long list = w.Kept.First(batch, head, query), weights = ((long)pair * w.WeightRows + (query - w.FirstQuery)) * w.Kept.Length;
                float x = T.Read(w.X.Memory[w.X.Row(batch, query, head) + column]);
                int entry = w.Kept.From(list, first), size = w.Kept.KeySize;
                int block = entry < w.Kept.Most ? w.Kept.At(list, entry) : -1;
                while (block >= 0 && block * size <= last)
                {
                    int from = IntrinsicMath.Max(first - block * size, 0), to = IntrinsicMath.Min(last - block * size + 1, size);
                    for (int j = from; j < to; j++)
                    {
                        sums[(block * size + j - first) * MostThreads + own] += w.Weights[weights + entry * size + j] * x;
                    }

                    entry++;
                    block = entry < w.Kept.Most ? w.Kept.At(list, entry) : -1;
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
