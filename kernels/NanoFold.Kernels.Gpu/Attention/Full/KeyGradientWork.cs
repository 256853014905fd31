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
        ArrayView<Four<float>> a = SharedMemory.Allocate<Four<float>>(TileGroup.MostRows * TileGroup.Stride);
        ArrayView<Four<float>> b = SharedMemory.Allocate<Four<float>>(TileGroup.Columns * TileGroup.Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.WeightStride * 4);
        int batch = Grid.IdxX / w.KeyHeads, keyHead = Grid.IdxX % w.KeyHeads;
        int rows = Group.DimX / TileGroup.Across * 4;
        int first = Grid.IdxY * rows, column = Grid.IdxZ * TileGroup.Chunk;
        MaskView mask = w.Rows.Mask;
        int last = IntrinsicMath.Min(first + rows, mask.Keys) - 1;
        int start = mask.QueryStart(first) / TileGroup.Columns * TileGroup.Columns, end = mask.QueryEnd(first, last);
        int own = first + Group.IdxX / TileGroup.Across * 4;
        Block leftK = default, rightK = default, leftV = default, rightV = default;
        for (int i = 0; i < w.GroupHeads; i++)
        {
            int head = keyHead * w.GroupHeads + i, pair = batch * (w.KeyHeads * w.GroupHeads) + head;
            for (int query = start; query < end; query += TileGroup.Columns)
            {
                if (!mask.DocumentsMeet(batch, query, TileGroup.Columns, first, rows))
                {
                    continue;
                }

                Block p = default, dp = default;
                for (int chunk = 0; chunk < w.Q.Depth; chunk += TileGroup.Chunk)
                {
                    Group.Barrier();
                    TileGroup.Load(a, w.K, batch, keyHead, first, rows, mask.Keys, chunk);
                    TileGroup.Load(b, w.Q, batch, head, query, TileGroup.Columns, mask.Time, chunk);
                    Group.Barrier();
                    TileGroup.AddScores(ref p, a, b);
                }

                int from = query + Group.IdxX % TileGroup.Across;
                p.A = Weights(w, p.A, batch, pair, from, own);
                p.B = Weights(w, p.B, batch, pair, from, own + 1);
                p.C = Weights(w, p.C, batch, pair, from, own + 2);
                p.D = Weights(w, p.D, batch, pair, from, own + 3);
                TileGroup.Store(weights, p);
                for (int chunk = 0; chunk < w.V.Depth; chunk += TileGroup.Chunk)
                {
                    Group.Barrier();
                    TileGroup.Load(a, w.V, batch, keyHead, first, rows, mask.Keys, chunk);
                    TileGroup.Load(b, w.DY, batch, head, query, TileGroup.Columns, mask.Time, chunk);
                    Group.Barrier();
                    TileGroup.AddScores(ref dp, a, b);
                    if (chunk == column)
                    {
                        TileGroup.AddOutput(ref leftV, ref rightV, weights, b);
                    }
                }

                p.A = Gradients(w, p.A, dp.A, pair, from);
                p.B = Gradients(w, p.B, dp.B, pair, from);
                p.C = Gradients(w, p.C, dp.C, pair, from);
                p.D = Gradients(w, p.D, dp.D, pair, from);
                Group.Barrier();
                TileGroup.Store(weights, p);
                TileGroup.Load(b, w.Q, batch, head, query, TileGroup.Columns, mask.Time, column);
                Group.Barrier();
                TileGroup.AddOutput(ref leftK, ref rightK, weights, b);
            }
        }

        Four<float> one = new() { A = 1, B = 1, C = 1, D = 1 };
        Four<float> scale = new() { A = w.Rows.Scale, B = w.Rows.Scale, C = w.Rows.Scale, D = w.Rows.Scale };
        TileGroup.Write(w.DK, batch, keyHead, first, mask.Keys, column, leftK, rightK, scale, w.AccumulateK);
        TileGroup.Write(w.DV, batch, keyHead, first, mask.Keys, column, leftV, rightV, one, w.AccumulateV);
    }

    private static Four<float> Weights(in KeyGradientWork<T> w, in Four<float> s, int batch, int pair, int query, int key) => new()
    {
        A = w.Rows.Weight(s.A, batch, pair, query, key),
        B = w.Rows.Weight(s.B, batch, pair, query + 8, key),
        C = w.Rows.Weight(s.C, batch, pair, query + 16, key),
        D = w.Rows.Weight(s.D, batch, pair, query + 24, key),
    };

    private static Four<float> Gradients(in KeyGradientWork<T> w, in Four<float> p, in Four<float> dp, int pair, int query) => new()
    {
        A = w.Rows.OfWeight(p.A, dp.A, pair, query),
        B = w.Rows.OfWeight(p.B, dp.B, pair, query + 8),
        C = w.Rows.OfWeight(p.C, dp.C, pair, query + 16),
        D = w.Rows.OfWeight(p.D, dp.D, pair, query + 24),
    };
}
