using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Full;

/// <summary>
/// Attention forward over a block of queries of one head, key block by key block with the online softmax; a group owns 64 columns of y.
/// Grid: batch · head, block of queries (the longest first), chunk of columns.
/// </summary>
internal struct ForwardWork<T> : IGpuWork<ForwardWork<T>>
    where T : unmanaged, IElement<T>
{
    /// <summary>Below any score; finite, so that a row that saw nothing yet gives exp(0) and not exp(∞ − ∞).</summary>
    private const float Lowest = -1e30f;

    public HeadView<T> Q, K, V, Y;
    public ArrayView<float> LogSumExp;
    public VisibleView Seen;
    public DecayView Decay;
    public SinkView<T> Sinks;
    public float Scale, Cap;
    public int Heads, GroupHeads, ValueGroup;

    public static void Run(ForwardWork<T> w)
    {
        ArrayView<Vector4<float>> a = SharedMemory.Allocate<Vector4<float>>(TileGroup.MostRows * TileGroup.Stride);
        ArrayView<Vector4<float>> b = SharedMemory.Allocate<Vector4<float>>(TileGroup.Columns * TileGroup.Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.WeightStride * 4);
        ArrayView<float> shared = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.Across);
        int batch = Grid.IdxX / w.Heads, head = Grid.IdxX % w.Heads, keyHead = head / w.GroupHeads, valueHead = head / w.ValueGroup;
        int rows = Group.DimX / TileGroup.Across * 4;
        int first = w.Seen.Blocks.FirstQuery(Grid.DimY - 1 - Grid.IdxY, rows), column = Grid.IdxZ * TileGroup.Chunk;
        int limit = IntrinsicMath.Min((first / w.Seen.Blocks.QuerySize + 1) * w.Seen.Blocks.QuerySize, w.Seen.Time);
        if (first >= limit)
        {
            return;
        }

        int own = first + Group.IdxX / TileGroup.Across * 4;
        VisibleView seen = w.Seen.InRow(batch);
        seen.QueryLimit = limit;
        KeyWalk keys = KeyWalk.Of(seen, batch, Grid.IdxX, first, IntrinsicMath.Min(first + rows, limit) - 1);
        Block left = default, right = default;
        float sink = w.Sinks.Of(head, Lowest), joined = w.Sinks.Has != 0 && Group.IdxX % TileGroup.Across == 0 ? 1f : 0f;
        Vector4<float> maximum = new() { A = sink, B = sink, C = sink, D = sink }, sum = new() { A = joined, B = joined, C = joined, D = joined };
        while (keys.Next(seen, batch))
        {
            int key = keys.Key;
            seen.KeyLimit = keys.Limit;
            Block s = default;
            for (int chunk = 0; chunk < w.Q.Depth; chunk += TileGroup.Chunk)
            {
                Group.Barrier();
                TileGroup.Load(a, w.Q, batch, head, first, rows, limit, chunk);
                TileGroup.Load(b, w.K, batch, keyHead, key, TileGroup.Columns, keys.Limit, chunk);
                Group.Barrier();
                TileGroup.AddScores(ref s, a, b);
            }

            // Every thread's part of its rows' maxima, then the whole of them.
            int at = Group.IdxX / TileGroup.Across * 4 * TileGroup.Across, place = at + Group.IdxX % TileGroup.Across;
            s.A = Masked(w, seen, s.A, batch, own, key);
            s.B = Masked(w, seen, s.B, batch, own + 1, key);
            s.C = Masked(w, seen, s.C, batch, own + 2, key);
            s.D = Masked(w, seen, s.D, batch, own + 3, key);
            shared[place] = Largest(s.A);
            shared[place + TileGroup.Across] = Largest(s.B);
            shared[place + 2 * TileGroup.Across] = Largest(s.C);
            shared[place + 3 * TileGroup.Across] = Largest(s.D);
            Group.Barrier();
            Vector4<float> factor;
            s.A = Weigh(s.A, shared, at, ref maximum.A, ref sum.A, out factor.A);
            s.B = Weigh(s.B, shared, at + TileGroup.Across, ref maximum.B, ref sum.B, out factor.B);
            s.C = Weigh(s.C, shared, at + 2 * TileGroup.Across, ref maximum.C, ref sum.C, out factor.C);
            s.D = Weigh(s.D, shared, at + 3 * TileGroup.Across, ref maximum.D, ref sum.D, out factor.D);
            left.ScaleRows(factor);
            right.ScaleRows(factor);
            TileGroup.Store(weights, s);
            TileGroup.Load(b, w.V, batch, valueHead, key, TileGroup.Columns, keys.Limit, column);
            Group.Barrier();
            TileGroup.AddOutput(ref left, ref right, weights, b);
        }

        Vector4<float> scale;
        scale.A = Finish(w, shared, sum.A, maximum.A, 0, batch, head, own, limit);
        scale.B = Finish(w, shared, sum.B, maximum.B, 1, batch, head, own + 1, limit);
        scale.C = Finish(w, shared, sum.C, maximum.C, 2, batch, head, own + 2, limit);
        scale.D = Finish(w, shared, sum.D, maximum.D, 3, batch, head, own + 3, limit);
        TileGroup.Write(w.Y, batch, head, first, limit, column, left, right, scale, 0);
    }

    private static Vector4<float> Masked(in ForwardWork<T> w, in VisibleView seen, in Vector4<float> s, int batch, int query, int key)
    {
        key += Group.IdxX % TileGroup.Across;
        float own = w.Decay.At(Grid.IdxX, query + seen.Shift);
        return new()
        {
            A = seen.Sees(batch, query, key) ? Score(w, s.A, own, key) : float.NegativeInfinity,
            B = seen.Sees(batch, query, key + 8) ? Score(w, s.B, own, key + 8) : float.NegativeInfinity,
            C = seen.Sees(batch, query, key + 16) ? Score(w, s.C, own, key + 16) : float.NegativeInfinity,
            D = seen.Sees(batch, query, key + 24) ? Score(w, s.D, own, key + 24) : float.NegativeInfinity,
        };
    }

    private static float Score(in ForwardWork<T> w, float product, float own, int key) => ScoreCap.Of(product * w.Scale, w.Cap) + (own - w.Decay.At(Grid.IdxX, key));

    private static float Largest(in Vector4<float> s) => Larger(Larger(s.A, s.B), Larger(s.C, s.D));

    private static float Larger(float a, float b) => a > b ? a : b;

    /// <summary>Weights of a row's scores, by the maximum after this block; factor takes what was summed before to it.</summary>
    private static Vector4<float> Weigh(in Vector4<float> s, ArrayView<float> shared, int at, ref float maximum, ref float sum, out float factor)
    {
        float before = maximum;
        for (int i = 0; i < TileGroup.Across; i++)
        {
            maximum = Larger(shared[at + i], maximum);
        }

        factor = XMath.Exp(before - maximum);
        Vector4<float> p;
        p.A = XMath.Exp(s.A - maximum);
        p.B = XMath.Exp(s.B - maximum);
        p.C = XMath.Exp(s.C - maximum);
        p.D = XMath.Exp(s.D - maximum);
        sum = sum * factor + ((p.A + p.B) + (p.C + p.D));
        return p;
    }

    /// <summary>1 / sum of a row, 0 where it saw no key; its log-sum-exp is written.</summary>
    private static float Finish(in ForwardWork<T> w, ArrayView<float> shared, float part, float maximum, int row, int batch, int head, int query, int limit)
    {
        int at = (Group.IdxX / TileGroup.Across * 4 + row) * TileGroup.Across;
        Group.Barrier();
        shared[at + Group.IdxX % TileGroup.Across] = part;
        Group.Barrier();
        float sum = 0;
        for (int i = 0; i < TileGroup.Across; i++)
        {
            sum += shared[at + i];
        }

        if (Group.IdxX % TileGroup.Across == 0 && Grid.IdxZ == 0 && query < limit)
        {
            w.LogSumExp[((long)batch * w.Heads + head) * w.Seen.Time + query] = maximum + XMath.Log(sum);
        }

        return sum == 0 ? 0 : 1 / sum;
    }
}
