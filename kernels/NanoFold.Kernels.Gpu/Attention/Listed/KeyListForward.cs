using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>Attention over lists of keys, forward: a group takes a query of one head at a time.</summary>
internal struct KeyListForwardWork<T> : IGpuWork<KeyListForwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, Y;
    public ArrayView<float> LogSumExp;
    public ListView Kept;
    public SeenView Seen;

    /// <summary>For every group the weights of a list.</summary>
    public ArrayView<float> Scratch;

    public float Scale;
    public int Heads, GroupHeads, Rows;

    public static void Run(KeyListForwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        int length = w.Kept.Length;
        ArrayView<float> weights = w.Scratch.SubView((long)Grid.IdxX * length, length);
        for (int row = Grid.IdxX; row < w.Rows; row += Grid.DimX)
        {
            int query = row % w.Seen.Time, pair = row / w.Seen.Time;
            int batch = pair / w.Heads, head = pair % w.Heads, keyHead = head / w.GroupHeads;
            bool counts = query < w.Seen.Queries(batch);
            SeenRow seen = w.Seen.Row(batch, query);
            ListOrder keys = default;
            keys.View = w.Kept;
            keys.First = w.Kept.First(batch, head, query);
            float maximum = float.NegativeInfinity;
            for (int i = Group.IdxX; i < length; i += Group.DimX)
            {
                int key = keys.KeyAt(i);
                float score = float.NegativeInfinity;
                if (counts && key >= 0 && seen.Sees(key))
                {
                    score = RowWeights.Dot(w.Q, w.Q.Row(batch, query, head), w.K, w.K.Row(batch, key, keyHead)) * w.Scale;
                }

                weights[i] = score;
                maximum = score > maximum || Bits.IsNaN(score) ? score : maximum;
            }

            maximum = GroupReduce.Max(shared, maximum);
            bool isEmpty = maximum == float.NegativeInfinity;
            // Of an empty list all exponentials are 0, not those of ∞ − ∞.
            maximum = isEmpty ? 0 : maximum;
            Group.Barrier();
            float sum = RowWeights.Exponentiate(shared, weights, length, maximum);
            if (Group.IdxX == 0)
            {
                w.LogSumExp[row] = isEmpty ? float.NegativeInfinity : maximum + XMath.Log(sum);
            }

            RowWeights.Combine(sums, weights, length, keys, w.V, batch, keyHead, w.Y, w.Y.Row(batch, query, head), isEmpty ? 0 : 1 / sum, 0);
        }
    }
}
