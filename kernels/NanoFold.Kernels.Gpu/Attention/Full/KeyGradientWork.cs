using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>
/// dk and dv of a block of keys of one key head, over the queries of all its heads in order: dv = Σ pᵀ dy, dk = scale · Σ (p ⊙ (dy vᵀ − delta))ᵀ q.
/// Scores are computed key by query. A group owns 64 columns. Grid: batch · key head, block of keys, chunk of columns.
/// </summary>
internal struct KeyGradientWork<T> : IGpuWork<KeyGradientWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, DY, DK, DV;
    public ScoreGradient Rows;
    public int KeyHeads, GroupHeads, AccumulateK, AccumulateV;

    public static void Run(KeyGradientWork<T> w)
    {
        ArrayView<Vector4<float>> a = SharedMemory.Allocate<Vector4<float>>(TileGroup.MostRows * TileGroup.Stride);
        ArrayView<Vector4<float>> b = SharedMemory.Allocate<Vector4<float>>(TileGroup.Columns * TileGroup.Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.WeightStride * 4);
        int batch = Grid.IdxX / w.KeyHeads, keyHead = Grid.IdxX % w.KeyHeads;
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
            int head = keyHead * w.GroupHeads + i, pair = batch * (w.KeyHeads * w.GroupHeads) + head;
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
                    TileGroup.Load(a, w.V, batch, keyHead, first, rows, limit, chunk);
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
                Group.Barrier();
                TileGroup.Store(weights, p);
                TileGroup.Load(b, w.Q, batch, head, query, TileGroup.Columns, queries.Limit, column);
                Group.Barrier();
                TileGroup.AddOutput(ref leftK, ref rightK, weights, b);
            }
        }

        Vector4<float> one = new() { A = 1, B = 1, C = 1, D = 1 };
        Vector4<float> scale = new() { A = w.Rows.Scale, B = w.Rows.Scale, C = w.Rows.Scale, D = w.Rows.Scale };
        TileGroup.Write(w.DK, batch, keyHead, first, limit, column, leftK, rightK, scale, w.AccumulateK);
        TileGroup.Write(w.DV, batch, keyHead, first, limit, column, leftV, rightV, one, w.AccumulateV);
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
