using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>
/// dq of a block of queries of one head: dq = scale · Σ p ⊙ (dy vᵀ − delta) · k. A group owns 64 columns. Grid: batch · head, block of queries, chunk of columns.
/// </summary>
internal struct QueryGradientWork<T> : IGpuWork<QueryGradientWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> Q, K, V, DY, DQ;
    public ScoreGradient Rows;
    public int Heads, GroupHeads, Accumulate;

    public static void Run(QueryGradientWork<T> w)
    {
        ArrayView<Four<float>> a = SharedMemory.Allocate<Four<float>>(TileGroup.MostRows * TileGroup.Stride);
        ArrayView<Four<float>> b = SharedMemory.Allocate<Four<float>>(TileGroup.Columns * TileGroup.Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.WeightStride * 4);
        int pair = Grid.IdxX, batch = pair / w.Heads, head = pair % w.Heads, keyHead = head / w.GroupHeads;
        int rows = Group.DimX / TileGroup.Across * 4;
        int first = (Grid.DimY - 1 - Grid.IdxY) * rows, column = Grid.IdxZ * TileGroup.Chunk;
        MaskView mask = w.Rows.Mask;
        int end = mask.KeyEnd(IntrinsicMath.Min(first + rows, mask.Time) - 1), start = mask.KeyStart(first);
        int own = first + Group.IdxX / TileGroup.Across * 4;
        Block left = default, right = default;
        for (int key = 0; key < end; key += TileGroup.Columns)
        {
            if (key >= mask.Rule.Sinks && key + TileGroup.Columns <= start)
            {
                continue;
            }

            if (!mask.DocumentsMeet(batch, first, rows, key, TileGroup.Columns))
            {
                continue;
            }

            Block s = default, dp = default;
            for (int chunk = 0; chunk < w.Q.Depth; chunk += TileGroup.Chunk)
            {
                Group.Barrier();
                TileGroup.Load(a, w.Q, batch, head, first, rows, mask.Time, chunk);
                TileGroup.Load(b, w.K, batch, keyHead, key, TileGroup.Columns, mask.Keys, chunk);
                Group.Barrier();
                TileGroup.AddScores(ref s, a, b);
            }

            for (int chunk = 0; chunk < w.V.Depth; chunk += TileGroup.Chunk)
            {
                Group.Barrier();
                TileGroup.Load(a, w.DY, batch, head, first, rows, mask.Time, chunk);
                TileGroup.Load(b, w.V, batch, keyHead, key, TileGroup.Columns, mask.Keys, chunk);
                Group.Barrier();
                TileGroup.AddScores(ref dp, a, b);
            }

            int from = key + Group.IdxX % TileGroup.Across;
            s.A = Row(w, s.A, dp.A, batch, pair, own, from);
            s.B = Row(w, s.B, dp.B, batch, pair, own + 1, from);
            s.C = Row(w, s.C, dp.C, batch, pair, own + 2, from);
            s.D = Row(w, s.D, dp.D, batch, pair, own + 3, from);
            TileGroup.Store(weights, s);
            Group.Barrier();
            TileGroup.Load(b, w.K, batch, keyHead, key, TileGroup.Columns, mask.Keys, column);
            Group.Barrier();
            TileGroup.AddOutput(ref left, ref right, weights, b);
        }

        Four<float> scale = new() { A = w.Rows.Scale, B = w.Rows.Scale, C = w.Rows.Scale, D = w.Rows.Scale };
        TileGroup.Write(w.DQ, batch, head, first, mask.Time, column, left, right, scale, w.Accumulate);
    }

    private static Four<float> Row(in QueryGradientWork<T> w, in Four<float> s, in Four<float> dp, int batch, int pair, int query, int key) => new()
    {
        A = w.Rows.Of(s.A, dp.A, batch, pair, query, key),
        B = w.Rows.Of(s.B, dp.B, batch, pair, query, key + 8),
        C = w.Rows.Of(s.C, dp.C, batch, pair, query, key + 16),
        D = w.Rows.Of(s.D, dp.D, batch, pair, query, key + 24),
    };
}
