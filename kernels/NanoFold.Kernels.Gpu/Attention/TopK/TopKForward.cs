using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.TopK;

/// <summary>Top-k attention forward: a group takes a query of one head at a time, scores all its keys, keeps the largest and attends over them.</summary>
internal struct TopKForwardWork<T> : IGpuWork<TopKForwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, Y;
    public ArrayView<float> LogSumExp;
    public ArrayView<int> Kept;
    public VisibleView Seen;

    /// <summary>For every group a row of scores, then the weights kept.</summary>
    public ArrayView<float> Scratch;

    public float Scale;
    public int Heads, GroupHeads, Keep, Rows;

    public static void Run(TopKForwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        int room = w.Seen.Keys + w.Keep;
        ArrayView<float> scores = w.Scratch.SubView((long)Grid.IdxX * room, w.Seen.Keys);
        ArrayView<float> weights = w.Scratch.SubView((long)Grid.IdxX * room + w.Seen.Keys, w.Keep);
        for (int row = Grid.IdxX; row < w.Rows; row += Grid.DimX)
        {
            int query = row % w.Seen.Time, pair = row / w.Seen.Time;
            int batch = pair / w.Heads, head = pair % w.Heads, keyHead = head / w.GroupHeads;
            ArrayView<int> order = w.Kept.SubView((long)row * w.Keep, w.Keep);
            VisibleRow visible = VisibleRow.Of(w.Seen, pair, query);
            int end = visible.Count;
            float seen = 0, unordered = 0;
            for (int i = Group.IdxX; i < end; i += Group.DimX)
            {
                int key = visible.KeyAt(i);
                float score = float.NegativeInfinity;
                if (visible.Sees(key))
                {
                    score = RowWeights.Dot(w.Q, w.Q.Row(batch, query, head), w.K, w.K.Row(batch, key, keyHead)) * w.Scale;
                }

                scores[i] = score;
                seen += score > float.NegativeInfinity ? 1f : 0f;
                unordered += score < float.PositiveInfinity ? 0f : 1f;
            }

            seen = GroupReduce.Sum(shared, seen);
            // A row whose scores have no order, as one is not a number, keeps none and gives none.
            bool isOrdered = GroupReduce.Sum(shared, unordered) == 0;
            int count = isOrdered ? IntrinsicMath.Min((int)seen, w.Keep) : 0;
            if (isOrdered)
            {
                RowWeights.KeepLargest(scores, end, w.Keep, weights, order);
                for (int i = Group.IdxX; i < count; i += Group.DimX)
                {
                    order[i] = visible.KeyAt(order[i]);
                }
            }

            float maximum = count > 0 ? weights[0] : 0;
            Group.Barrier();
            float sum = RowWeights.Exponentiate(shared, weights, count, maximum);
            for (int i = count + Group.IdxX; i < w.Keep; i += Group.DimX)
            {
                order[i] = -1;
            }

            if (Group.IdxX == 0)
            {
                w.LogSumExp[row] = isOrdered ? maximum + XMath.Log(sum) : float.NaN;
            }

            RowWeights.Combine(
                sums, weights, count, new ListedKeys { Keys = order }, w.V, batch, keyHead, w.Y, w.Y.Row(batch, query, head), isOrdered ? 1 / sum : float.NaN, 0);
        }
    }
}
