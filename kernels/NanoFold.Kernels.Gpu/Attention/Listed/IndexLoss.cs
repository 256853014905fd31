using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>
/// The loss of one query's index scores, with the gradients of its index queries and weights; a group a query. For each index head and key it leaves what the key's
/// gradient gets of the index query.
/// </summary>
internal struct IndexLossWork<T> : IGpuWork<IndexLossWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> IndexQ, IndexK, Q, K, DIndexQ;
    public ArrayView<T> Weights, DWeights;
    public long WeightBatch, WeightTime, WeightHead;
    public ListView Kept;
    public SeenView Seen;

    /// <summary>[B, T].</summary>
    public ArrayView<float> Losses;

    /// <summary>[B, I, Queries, n], and [B, Queries, 3, n] for weights, scores and what is made of them.</summary>
    public ArrayView<float> Gradients, Rows;

    public ArrayView<long> State;
    public float Scale, IndexScale, Factor;
    public int Heads, GroupHeads, IndexHeads, First, Queries;

    public static void Run(IndexLossWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        int batch = Grid.IdxX / w.Queries, query = w.First + Grid.IdxX % w.Queries, length = w.Kept.Length;
        SeenRow seen = w.Seen.Row(batch, query);
        ListOrder keys = default;
        keys.View = w.Kept;
        keys.First = w.Kept.First(batch, 0, query);
        ArrayView<float> p = w.Rows.SubView((long)Grid.IdxX * 3 * length, length), scores = w.Rows.SubView(((long)Grid.IdxX * 3 + 1) * length, length);
        ArrayView<float> made = w.Rows.SubView(((long)Grid.IdxX * 3 + 2) * length, length);
        w.Attention(shared, seen, keys, batch, query, p, scores);
        float largest = w.Scores(seen, keys, batch, query, scores);
        largest = GroupReduce.Max(shared, largest);
        float sum = 0;
        for (int i = Group.IdxX; i < length; i += Group.DimX)
        {
            sum += XMath.Exp(scores[i] - largest);
        }

        float logSum = largest + XMath.Log(GroupReduce.Sum(shared, sum)), loss = 0;
        float factor = (float)(w.Factor * Slots.Double(w.State, StepSlot.LossScale) / w.State[(int)StepSlot.MicroBatchCount]);
        for (int i = Group.IdxX; i < length; i += Group.DimX)
        {
            float gradient = 0;
            if (scores[i] > float.NegativeInfinity || Bits.IsNaN(scores[i]))
            {
                float log = scores[i] - logSum;
                gradient = (XMath.Exp(log) - p[i]) * factor;
                // Where p has vanished its logarithm is not there, and its part is 0.
                loss += p[i] > 0 || Bits.IsNaN(p[i]) ? p[i] * (XMath.Log(p[i] > 0 ? p[i] : 1) - log) : 0;
            }

            scores[i] = gradient;
        }

        loss = GroupReduce.Sum(shared, loss);
        if (Group.IdxX == 0)
        {
            w.Losses[(long)batch * w.Seen.Time + query] = loss;
        }

        for (int h = 0; h < w.IndexHeads; h++)
        {
            long first = (((long)batch * w.IndexHeads + h) * w.Queries + (query - w.First)) * length;
            ArrayView<float> gradients = w.Gradients.SubView(first, length);
            float weight = w.Weight(batch, query, h) * w.IndexScale, own = 0;
            for (int i = Group.IdxX; i < length; i += Group.DimX)
            {
                float product = scores[i] == 0 ? 0 : w.Product(keys, batch, query, h, i);
                made[i] = product > 0 ? scores[i] * weight : 0;
                gradients[i] = made[i];
                own += product > 0 ? scores[i] * product * w.IndexScale : 0;
            }

            own = GroupReduce.Sum(shared, own);
            if (Group.IdxX == 0)
            {
                w.DWeights[((long)batch * w.Seen.Time + query) * w.IndexHeads + h] = T.Write(own);
            }

            RowWeights.Combine(sums, made, length, keys, w.IndexK, batch, 0, w.DIndexQ, w.DIndexQ.Row(batch, query, h), 1, 0);
        }
    }

    // Weights of attention over the keys, averaged over the heads.
    private readonly void Attention(ArrayView<float> shared, in SeenRow seen, in ListOrder keys, int batch, int query, ArrayView<float> p, ArrayView<float> scores)
    {
        int length = Kept.Length;
        for (int h = 0; h < Heads; h++)
        {
            float largest = float.NegativeInfinity;
            for (int i = Group.IdxX; i < length; i += Group.DimX)
            {
                int key = keys.KeyAt(i);
                float score = float.NegativeInfinity;
                if (key >= 0 && seen.Sees(key))
                {
                    score = RowWeights.Dot(Q, Q.Row(batch, query, h), K, K.Row(batch, key, h / GroupHeads)) * Scale;
                }

                scores[i] = score;
                largest = score > largest || Bits.IsNaN(score) ? score : largest;
            }

            largest = GroupReduce.Max(shared, largest);
            float share = 1 / (RowWeights.Exponentiate(shared, scores, length, largest) * Heads);
            for (int i = Group.IdxX; i < length; i += Group.DimX)
            {
                float before = 0;
                if (h > 0)
                {
                    before = p[i];
                }

                p[i] = before + scores[i] * share;
            }
        }
    }

    // The index scores, and the largest that this thread made.
    private readonly float Scores(in SeenRow seen, in ListOrder keys, int batch, int query, ArrayView<float> scores)
    {
        float largest = float.NegativeInfinity;
        for (int i = Group.IdxX; i < Kept.Length; i += Group.DimX)
        {
            int key = keys.KeyAt(i);
            float score = float.NegativeInfinity;
            if (key >= 0 && seen.Sees(key))
            {
                score = 0;
                for (int h = 0; h < IndexHeads; h++)
                {
                    float product = Product(keys, batch, query, h, i) * IndexScale;
                    score += Weight(batch, query, h) * (product < 0 ? 0 : product);
                }
            }

            scores[i] = score;
            largest = score > largest || Bits.IsNaN(score) ? score : largest;
        }

        return largest;
    }

    private readonly float Product(in ListOrder keys, int batch, int query, int head, int place)
        => RowWeights.Dot(IndexQ, IndexQ.Row(batch, query, head), IndexK, IndexK.Row(batch, keys.At(place), 0));

    private readonly float Weight(int batch, int query, int head) => T.Read(Weights[batch * WeightBatch + query * WeightTime + head * WeightHead]);
}

/// <summary>One group: the loss, factor · Σ of the queries' / MicroBatchCount, which is also added to a term of the step's.</summary>
internal struct IndexLossSumWork : IGpuWork<IndexLossSumWork>
{
    public ArrayView<float> Losses, Loss;
    public ArrayView<long> State;
    public double Factor;
    public int Term, Count;

    public static void Run(IndexLossSumWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        for (int i = Group.IdxX; i < w.Count; i += Group.DimX)
        {
            sum += w.Losses[i];
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            double loss = sum * w.Factor / w.State[(int)StepSlot.MicroBatchCount];
            w.Loss[0] = (float)loss;
            Slots.Increase(w.State, w.Term, loss);
        }
    }
}

/// <summary>dx = dloss · x (+ dx).</summary>
internal struct IndexLossBackwardWork<T> : IGpuWork<IndexLossBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, DX;
    public ArrayView<float> DLoss;
    public int Count, Accumulate;

    public static void Run(IndexLossBackwardWork<T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Count)
        {
            float value = T.Read(w.X[i]) * w.DLoss[0];
            w.DX[i] = T.Write(w.Accumulate != 0 ? T.Read(w.DX[i]) + value : value);
        }
    }
}
