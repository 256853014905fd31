using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>
/// dk and dv of a block of keys of one head, of keys and values alike or of one of them, over the queries of all its heads in order: dv = Σ pᵀ dy,
/// dk = scale · Σ (p ⊙ (dy vᵀ − delta))ᵀ q, and dc = −Σ p ⊙ (dy vᵀ − delta) where scores decay. Scores are computed key by query. A group owns 64 columns.
/// Grid: batch · own head, block of keys, chunk of columns.
/// </summary>
internal struct KeyGradientWork<T> : IGpuWork<KeyGradientWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, DY, DK, DV;
    public ArrayView<float> DDecay;
    public ScoreGradient Rows;

    /// <summary>Heads that gradients are of, and query heads that read each.</summary>
    public int OwnHeads, GroupHeads;

    /// <summary>Query heads that read a head of keys, and one of values.</summary>
    public int KeyGroup, ValueGroup;

    public int WantsDecay, AccumulateK, AccumulateV, AccumulateDecay;

    public static void Run(KeyGradientWork<T> w)
    {
        ArrayView<Vector4<float>> a = SharedMemory.Allocate<Vector4<float>>(TileGroup.MostRows * TileGroup.Stride);
        ArrayView<Vector4<float>> b = SharedMemory.Allocate<Vector4<float>>(TileGroup.Columns * TileGroup.Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.WeightStride * 4);
        int batch = Grid.IdxX / w.OwnHeads, ownHead = Grid.IdxX % w.OwnHeads;
        int rows = Group.DimX / TileGroup.Across * 4;
        ScoreGradient scores = w.Rows;
        scores.Seen = w.Rows.Seen.InRow(batch);
        int first = scores.Seen.Blocks.FirstKey(Grid.IdxY, rows), column = Grid.IdxZ * TileGroup.Chunk;
        int limit = IntrinsicMath.Min((first / scores.Seen.Blocks.KeySize + 1) * scores.Seen.Blocks.KeySize, scores.Seen.Keys);
        if (first >= limit)
        {
            return;
        }

        int own = first + Group.IdxX / TileGroup.Across * 4;
        scores.Seen.KeyLimit = limit;
        Block leftK = default, rightK = default, leftV = default, rightV = default;
        for (int i = 0; i < w.GroupHeads; i++)
        {
            int head = ownHead * w.GroupHeads + i, pair = batch * (w.OwnHeads * w.GroupHeads) + head, keyHead = head / w.KeyGroup, valueHead = head / w.ValueGroup;
            Vector4<float> sums = default;
            QueryWalk queries = QueryWalk.Of(scores.Seen, batch, pair, first, IntrinsicMath.Min(first + rows, limit) - 1);
            while (queries.Next(scores.Seen, batch))
            {
                int query = queries.Query;
                scores.Seen.QueryLimit = queries.Limit;
                Block p = default, dp = default;
                for (int chunk = 0; chunk < w.Q.Depth; chunk += TileGroup.Chunk)
                {
                    Group.Barrier();
                    TileGroup.Load(a, w.K, batch, keyHead, first, rows, limit, chunk);
                    TileGroup.Load(b, w.Q, batch, head, query, TileGroup.Columns, queries.Limit, chunk);
                    Group.Barrier();
                    TileGroup.AddScores(ref p, a, b);
                }

                int from = query + Group.IdxX % TileGroup.Across;
                p.A = Weights(scores, p.A, batch, pair, from, own);
                p.B = Weights(scores, p.B, batch, pair, from, own + 1);
                p.C = Weights(scores, p.C, batch, pair, from, own + 2);
                p.D = Weights(scores, p.D, batch, pair, from, own + 3);
                TileGroup.Store(weights, p);
                for (int chunk = 0; chunk < w.V.Depth; chunk += TileGroup.Chunk)
                {
                    Group.Barrier();
                    TileGroup.Load(a, w.V, batch, valueHead, first, rows, limit, chunk);
                    TileGroup.Load(b, w.DY, batch, head, query, TileGroup.Columns, queries.Limit, chunk);
                    Group.Barrier();
                    TileGroup.AddScores(ref dp, a, b);
                    if (chunk == column)
                    {
                        TileGroup.AddOutput(ref leftV, ref rightV, weights, b);
                    }
                }

                p.A = Gradients(scores, p.A, dp.A, pair, from);
                p.B = Gradients(scores, p.B, dp.B, pair, from);
                p.C = Gradients(scores, p.C, dp.C, pair, from);
                p.D = Gradients(scores, p.D, dp.D, pair, from);
                sums.A += p.A.A + p.A.B + (p.A.C + p.A.D);
                sums.B += p.B.A + p.B.B + (p.B.C + p.B.D);
                sums.C += p.C.A + p.C.B + (p.C.C + p.C.D);
                sums.D += p.D.A + p.D.B + (p.D.C + p.D.D);
                Group.Barrier();
                TileGroup.Store(weights, p);
                TileGroup.Load(b, w.Q, batch, head, query, TileGroup.Columns, queries.Limit, column);
                Group.Barrier();
                TileGroup.AddOutput(ref leftK, ref rightK, weights, b);
            }

            if (w.WantsDecay != 0 && column == 0)
            {
                WriteDecay(w, weights, sums, pair, own, limit);
            }
        }

        Vector4<float> one = new() { A = 1, B = 1, C = 1, D = 1 };
        Vector4<float> scale = new() { A = w.Rows.Scale, B = w.Rows.Scale, C = w.Rows.Scale, D = w.Rows.Scale };
        TileGroup.Write(w.DK, batch, ownHead, first, limit, column, leftK, rightK, scale, w.AccumulateK);
        TileGroup.Write(w.DV, batch, ownHead, first, limit, column, leftV, rightV, one, w.AccumulateV);
    }

    /// <summary>Adds up what the eight threads of a row of keys have, and writes its negative.</summary>
    private static void WriteDecay(in KeyGradientWork<T> w, ArrayView<float> shared, in Vector4<float> sums, int pair, int own, int limit)
    {
        int row = Group.IdxX / TileGroup.Across * 4, lane = Group.IdxX % TileGroup.Across;
        Group.Barrier();
        shared[row * TileGroup.Across + lane] = sums.A;
        shared[(row + 1) * TileGroup.Across + lane] = sums.B;
        shared[(row + 2) * TileGroup.Across + lane] = sums.C;
        shared[(row + 3) * TileGroup.Across + lane] = sums.D;
        Group.Barrier();
        if (lane < 4 && own + lane < limit)
        {
            float sum = 0;
            for (int i = 0; i < TileGroup.Across; i++)
            {
                sum += shared[(row + lane) * TileGroup.Across + i];
            }

            long at = (long)pair * w.Rows.Seen.Keys + own + lane;
            w.DDecay[at] = w.AccumulateDecay != 0 ? w.DDecay[at] - sum : -sum;
        }

        Group.Barrier();
    }

    private static Vector4<float> Weights(in ScoreGradient scores, in Vector4<float> s, int batch, int pair, int query, int key) => new()
    {
        A = scores.Weight(s.A, batch, pair, query, key),
        B = scores.Weight(s.B, batch, pair, query + 8, key),
        C = scores.Weight(s.C, batch, pair, query + 16, key),
        D = scores.Weight(s.D, batch, pair, query + 24, key),
    };

    private static Vector4<float> Gradients(in ScoreGradient scores, in Vector4<float> p, in Vector4<float> dp, int pair, int query) => new()
    {
        A = scores.OfWeight(p.A, dp.A, pair, query),
        B = scores.OfWeight(p.B, dp.B, pair, query + 8),
        C = scores.OfWeight(p.C, dp.C, pair, query + 16),
        D = scores.OfWeight(p.D, dp.D, pair, query + 24),
    };
}
