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
        ArrayView<Four<float>> sums = SharedMemory.Allocate<Four<float>>(GroupReduce.Most);
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
