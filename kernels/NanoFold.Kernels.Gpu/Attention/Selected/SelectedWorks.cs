using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Attention.Selected;

/// <summary>Attention over the keys that each query looks at: a group takes a query of one head at a time.</summary>
internal struct SelectedForwardWork<T> : IGpuWork<SelectedForwardWork<T>>
    where T : unmanaged, IElement<T>
{
    private const float Lowest = -1e30f;

    public HeadView<T> Q, K, V, Y;
    public ArrayView<float> LogSumExp;
    public SelectedView Seen;

    /// <summary>For every group a row of scores.</summary>
    public ArrayView<float> Scratch;

    public float Scale;
    public int Rows, HasLogSumExp;

    public static void Run(SelectedForwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        ArrayView<float> scores = w.Scratch.SubView((long)Grid.IdxX * w.Seen.Most, w.Seen.Most);
        for (int row = Grid.IdxX; row < w.Rows; row += Grid.DimX)
        {
            int query = row % w.Seen.Time, pair = row / w.Seen.Time, batch = pair / w.Seen.Heads, head = pair % w.Seen.Heads, keyHead = head / w.Seen.GroupHeads;
            SelectedKeys keys = w.Seen.Row(pair, query);
            int count = keys.End > 0 ? keys.Count : 0;
            float maximum = float.NegativeInfinity;
            for (int i = Group.IdxX; i < count; i += Group.DimX)
            {
                int key = keys.At(i);
                float score = float.NegativeInfinity;
                if (keys.Sees(i) && w.Seen.IsOneDocument(batch, query, key))
                {
                    score = RowWeights.Dot(w.Q, w.Q.Row(batch, query, head), w.K, w.K.Row(batch, key, keyHead)) * w.Scale;
                }

                scores[i] = score;
                maximum = GroupReduce.FloatMax.Of(score, maximum);
            }

            maximum = GroupReduce.Max(shared, maximum);
            // Nothing seen: no weights, and not exp(∞ − ∞). What is not a number goes on.
            count = Bits.IsGreater(Lowest, maximum) ? 0 : count;
            Group.Barrier();
            float sum = RowWeights.Exponentiate(shared, scores, count, maximum);
            if (Group.IdxX == 0 && w.HasLogSumExp != 0)
            {
                w.LogSumExp[row] = count == 0 ? float.NegativeInfinity : maximum + XMath.Log(sum);
            }

            RowWeights.Combine(sums, scores, count, keys, w.V, batch, keyHead, w.Y, w.Y.Row(batch, query, head), count == 0 ? 0 : 1 / sum, 0);
        }
    }
}

/// <summary>dq of one query of one head at a time: dq = scale · Σ p ⊙ (dy vᵀ − delta) · k.</summary>
internal struct SelectedQueryWork<T> : IGpuWork<SelectedQueryWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, DY, DQ;
    public SelectedGradient Gradient;
    public ArrayView<float> Scratch;
    public int Rows, Accumulate;

    public static void Run(SelectedQueryWork<T> w)
    {
        ArrayView<Vector4<float>> sums = SharedMemory.Allocate<Vector4<float>>(GroupReduce.Most);
        SelectedView seen = w.Gradient.Seen;
        ArrayView<float> gradients = w.Scratch.SubView((long)Grid.IdxX * seen.Most, seen.Most);
        for (int row = Grid.IdxX; row < w.Rows; row += Grid.DimX)
        {
            int query = row % seen.Time, pair = row / seen.Time, batch = pair / seen.Heads, head = pair % seen.Heads, keyHead = head / seen.GroupHeads;
            SelectedKeys keys = seen.Row(pair, query);
            int count = keys.End > 0 ? keys.Count : 0;
            for (int i = Group.IdxX; i < count; i += Group.DimX)
            {
                int key = keys.At(i);
                float gradient = 0;
                if (keys.Sees(i) && seen.IsOneDocument(batch, query, key))
                {
                    float weight = w.Gradient.Weight(RowWeights.Dot(w.Q, w.Q.Row(batch, query, head), w.K, w.K.Row(batch, key, keyHead)), pair, query);
                    gradient = w.Gradient.OfWeight(weight, RowWeights.Dot(w.DY, w.DY.Row(batch, query, head), w.V, w.V.Row(batch, key, keyHead)), pair, query);
                }

                gradients[i] = gradient;
            }

            Group.Barrier();
            RowWeights.Combine(sums, gradients, count, keys, w.K, batch, keyHead, w.DQ, w.DQ.Row(batch, query, head), w.Gradient.Scale, w.Accumulate);
        }
    }
}

/// <summary>
/// dk and dv of one key of one key head: threads take queries for the weights, then columns for the sums. Grid: key, batch · key head, chunk of columns.
/// </summary>
internal struct SelectedKeyWork<T> : IGpuWork<SelectedKeyWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, DY, DK, DV;
    public SelectedGradient Gradient;
    public int KeyHeads, AccumulateK, AccumulateV;

    public static void Run(SelectedKeyWork<T> w)
    {
        ArrayView<float> weights = SharedMemory.Allocate<float>(GroupReduce.Most), gradients = SharedMemory.Allocate<float>(GroupReduce.Most);
        SelectedView seen = w.Gradient.Seen;
        int batch = Grid.IdxY / w.KeyHeads, keyHead = Grid.IdxY % w.KeyHeads, key = Grid.IdxX, column = (Grid.IdxZ * Group.DimX) + Group.IdxX;
        float sumK = 0, sumV = 0;
        for (int i = 0; i < seen.GroupHeads; i++)
        {
            int head = (keyHead * seen.GroupHeads) + i, pair = (batch * seen.Heads) + head;
            for (int first = seen.FirstQuery(key); first < seen.Time; first += Group.DimX)
            {
                int query = first + Group.IdxX;
                float weight = 0, gradient = 0;
                if (query < seen.Time && seen.Lists.Has(seen.Lists.ListOf(pair, query), key / seen.Lists.KeySize) && seen.IsOneDocument(batch, query, key))
                {
                    weight = w.Gradient.Weight(RowWeights.Dot(w.Q, w.Q.Row(batch, query, head), w.K, w.K.Row(batch, key, keyHead)), pair, query);
                    gradient = w.Gradient.OfWeight(weight, RowWeights.Dot(w.DY, w.DY.Row(batch, query, head), w.V, w.V.Row(batch, key, keyHead)), pair, query);
                }

                Group.Barrier();
                weights[Group.IdxX] = weight;
                gradients[Group.IdxX] = gradient;
                Group.Barrier();
                int count = IntrinsicMath.Min(Group.DimX, seen.Time - first);
                for (int q = 0; q < count; q++)
                {
                    if (weights[q] != 0)
                    {
                        if (column < w.Q.Depth)
                        {
                            sumK += gradients[q] * T.Read(w.Q.Memory[w.Q.Row(batch, first + q, head) + column]);
                        }

                        if (column < w.DY.Depth)
                        {
                            sumV += weights[q] * T.Read(w.DY.Memory[w.DY.Row(batch, first + q, head) + column]);
                        }
                    }
                }
            }
        }

        Write(w.DK, batch, key, keyHead, column, sumK * w.Gradient.Scale, w.AccumulateK);
        Write(w.DV, batch, key, keyHead, column, sumV, w.AccumulateV);
    }

    private static void Write(in HeadView<T> x, int batch, int key, int head, int column, float value, int accumulate)
    {
        if (column < x.Depth)
        {
            long at = x.Row(batch, key, head) + column;
            x.Memory[at] = T.Write(accumulate != 0 ? T.Read(x.Memory[at]) + value : value);
        }
    }
}

/// <summary>Weights and gradients of scores from what <see cref="DeltaWork{T}"/> left.</summary>
internal struct SelectedGradient
{
    private const float BitsPerNat = 1.44269504f;

    public SelectedView Seen;
    public ArrayView<float> LogSumExpBits, Delta;
    public int RowLength;
    public float Scale;

    /// <summary>exp(scale · s − log-sum-exp) of a key that is seen.</summary>
    public readonly float Weight(float score, int pair, int query) => XMath.Exp2((score * (Scale * BitsPerNat)) - LogSumExpBits[((long)pair * RowLength) + query]);

    /// <summary>Gradient of the scaled score with weight p, of whose product with v the gradient is dp.</summary>
    public readonly float OfWeight(float weight, float dp, int pair, int query) => weight == 0 ? 0 : weight * (dp - Delta[((long)pair * RowLength) + query]);
}
