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
    public int Heads, GroupHeads, ValueGroup, Accumulate;

    public static void Run(QueryGradientWork<T> w)
    {
        ArrayView<Vector4<float>> a = SharedMemory.Allocate<Vector4<float>>(TileGroup.MostRows * TileGroup.Stride);
        ArrayView<Vector4<float>> b = SharedMemory.Allocate<Vector4<float>>(TileGroup.Columns * TileGroup.Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.WeightStride * 4);
        int pair = Grid.IdxX, batch = pair / w.Heads, head = pair % w.Heads, keyHead = head / w.GroupHeads, valueHead = head / w.ValueGroup;
        int rows = Group.DimX / TileGroup.Across * 4;
        ScoreGradient scores = w.Rows;
        scores.Seen = w.Rows.Seen.InRow(batch);
        int first = scores.Seen.Blocks.FirstQuery(Grid.DimY - 1 - Grid.IdxY, rows), column = Grid.IdxZ * TileGroup.Chunk;
        int limit = IntrinsicMath.Min((first / scores.Seen.Blocks.QuerySize + 1) * scores.Seen.Blocks.QuerySize, scores.Seen.Time);
        if (first >= limit)
        {
            return;
        }

        int own = first + Group.IdxX / TileGroup.Across * 4;
        scores.Seen.QueryLimit = limit;
        KeyWalk keys = KeyWalk.Of(scores.Seen, batch, pair, first, IntrinsicMath.Min(first + rows, limit) - 1);
        Block left = default, right = default;
        while (keys.Next(scores.Seen, batch))
        {
            int key = keys.Key;
            scores.Seen.KeyLimit = keys.Limit;
            Block s = default, dp = default;
            for (int chunk = 0; chunk < w.Q.Depth; chunk += TileGroup.Chunk)
            {
                Group.Barrier();
                TileGroup.Load(a, w.Q, batch, head, first, rows, limit, chunk);
                TileGroup.Load(b, w.K, batch, keyHead, key, TileGroup.Columns, keys.Limit, chunk);
                Group.Barrier();
                TileGroup.AddScores(ref s, a, b);
            }

            for (int chunk = 0; chunk < w.V.Depth; chunk += TileGroup.Chunk)
            {
                Group.Barrier();
                TileGroup.Load(a, w.DY, batch, head, first, rows, limit, chunk);
                TileGroup.Load(b, w.V, batch, valueHead, key, TileGroup.Columns, keys.Limit, chunk);
                Group.Barrier();
                TileGroup.AddScores(ref dp, a, b);
            }

            int from = key + Group.IdxX % TileGroup.Across;
            s.A = Row(scores, s.A, dp.A, batch, pair, own, from);
            s.B = Row(scores, s.B, dp.B, batch, pair, own + 1, from);
            s.C = Row(scores, s.C, dp.C, batch, pair, own + 2, from);
            s.D = Row(scores, s.D, dp.D, batch, pair, own + 3, from);
            TileGroup.Store(weights, s);
            Group.Barrier();
            TileGroup.Load(b, w.K, batch, keyHead, key, TileGroup.Columns, keys.Limit, column);
            Group.Barrier();
            TileGroup.AddOutput(ref left, ref right, weights, b);
        }

        Vector4<float> scale = new() { A = w.Rows.Scale, B = w.Rows.Scale, C = w.Rows.Scale, D = w.Rows.Scale };
        TileGroup.Write(w.DQ, batch, head, first, limit, column, left, right, scale, w.Accumulate);
    }

    private static Vector4<float> Row(in ScoreGradient scores, in Vector4<float> s, in Vector4<float> dp, int batch, int pair, int query, int key) => new()
    {
        A = scores.Of(s.A, dp.A, batch, pair, query, key),
        B = scores.Of(s.B, dp.B, batch, pair, query, key + 8),
        C = scores.Of(s.C, dp.C, batch, pair, query, key + 16),
        D = scores.Of(s.D, dp.D, batch, pair, query, key + 24),
    };
}
