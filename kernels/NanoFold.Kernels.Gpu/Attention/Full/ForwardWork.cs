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
    public MaskView Mask;
    public float Scale;
    public int Heads, GroupHeads;

    public static void Run(ForwardWork<T> w)
    {
        ArrayView<Four<float>> a = SharedMemory.Allocate<Four<float>>(TileGroup.MostRows * TileGroup.Stride);
        ArrayView<Four<float>> b = SharedMemory.Allocate<Four<float>>(TileGroup.Columns * TileGroup.Stride);
        ArrayView<float> weights = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.WeightStride * 4);
        ArrayView<float> shared = SharedMemory.Allocate<float>(TileGroup.MostRows * TileGroup.Across);
        int batch = Grid.IdxX / w.Heads, head = Grid.IdxX % w.Heads, keyHead = head / w.GroupHeads;
        int rows = Group.DimX / TileGroup.Across * 4;
        int first = (Grid.DimY - 1 - Grid.IdxY) * rows, column = Grid.IdxZ * TileGroup.Chunk;
        int last = IntrinsicMath.Min(first + rows, w.Mask.Time) - 1;
        int own = first + Group.IdxX / TileGroup.Across * 4;
        int end = w.Mask.KeyEnd(last), start = w.Mask.KeyStart(first);
        Block left = default, right = default;
        Four<float> maximum = new() { A = Lowest, B = Lowest, C = Lowest, D = Lowest }, sum = default;
        for (int key = 0; key < end; key += TileGroup.Columns)
        {
            if (key >= w.Mask.Rule.Sinks && key + TileGroup.Columns <= start)
            {
                continue;
            }

            if (!w.Mask.DocumentsMeet(batch, first, rows, key, TileGroup.Columns))
            {
                continue;
            }

            Block s = default;
            for (int chunk = 0; chunk < w.Q.Depth; chunk += TileGroup.Chunk)
            {
                Group.Barrier();
                TileGroup.Load(a, w.Q, batch, head, first, rows, w.Mask.Time, chunk);
                TileGroup.Load(b, w.K, batch, keyHead, key, TileGroup.Columns, w.Mask.Keys, chunk);
                Group.Barrier();
                TileGroup.AddScores(ref s, a, b);
            }

            // Every thread's part of its rows' maxima, then the whole of them.
            int at = Group.IdxX / TileGroup.Across * 4 * TileGroup.Across, place = at + Group.IdxX % TileGroup.Across;
            s.A = Masked(w, s.A, batch, own, key);
            s.B = Masked(w, s.B, batch, own + 1, key);
            s.C = Masked(w, s.C, batch, own + 2, key);
            s.D = Masked(w, s.D, batch, own + 3, key);
            shared[place] = Largest(s.A);
            shared[place + TileGroup.Across] = Largest(s.B);
            shared[place + 2 * TileGroup.Across] = Largest(s.C);
            shared[place + 3 * TileGroup.Across] = Largest(s.D);
            Group.Barrier();
            Four<float> factor;
            s.A = Weigh(s.A, shared, at, ref maximum.A, ref sum.A, out factor.A);
            s.B = Weigh(s.B, shared, at + TileGroup.Across, ref maximum.B, ref sum.B, out factor.B);
            s.C = Weigh(s.C, shared, at + 2 * TileGroup.Across, ref maximum.C, ref sum.C, out factor.C);
            s.D = Weigh(s.D, shared, at + 3 * TileGroup.Across, ref maximum.D, ref sum.D, out factor.D);
            left.ScaleRows(factor);
            right.ScaleRows(factor);
            TileGroup.Store(weights, s);
            TileGroup.Load(b, w.V, batch, keyHead, key, TileGroup.Columns, w.Mask.Keys, column);
            Group.Barrier();
            TileGroup.AddOutput(ref left, ref right, weights, b);
        }

        Four<float> scale;
        scale.A = Finish(w, shared, sum.A, maximum.A, 0, batch, head, own);
        scale.B = Finish(w, shared, sum.B, maximum.B, 1, batch, head, own + 1);
        scale.C = Finish(w, shared, sum.C, maximum.C, 2, batch, head, own + 2);
        scale.D = Finish(w, shared, sum.D, maximum.D, 3, batch, head, own + 3);
        TileGroup.Write(w.Y, batch, head, first, w.Mask.Time, column, left, right, scale, 0);
    }

    private static Four<float> Masked(in ForwardWork<T> w, in Four<float> s, int batch, int query, int key)
    {
        key += Group.IdxX % TileGroup.Across;
        return new()
        {
            A = w.Mask.IsVisible(batch, query, key) ? s.A * w.Scale : float.NegativeInfinity,
            B = w.Mask.IsVisible(batch, query, key + 8) ? s.B * w.Scale : float.NegativeInfinity,
            C = w.Mask.IsVisible(batch, query, key + 16) ? s.C * w.Scale : float.NegativeInfinity,
            D = w.Mask.IsVisible(batch, query, key + 24) ? s.D * w.Scale : float.NegativeInfinity,
        };
    }

    private static float Largest(in Four<float> s) => Larger(Larger(s.A, s.B), Larger(s.C, s.D));

    private static float Larger(float a, float b) => a > b ? a : b;

    /// <summary>Weights of a row's scores, by the maximum after this block; factor takes what was summed before to it.</summary>
    private static Four<float> Weigh(in Four<float> s, ArrayView<float> shared, int at, ref float maximum, ref float sum, out float factor)
    {
        float before = maximum;
        for (int i = 0; i < TileGroup.Across; i++)
        {
            maximum = Larger(shared[at + i], maximum);
        }

        factor = XMath.Exp(before - maximum);
        Four<float> p;
        p.A = XMath.Exp(s.A - maximum);
        p.B = XMath.Exp(s.B - maximum);
        p.C = XMath.Exp(s.C - maximum);
        p.D = XMath.Exp(s.D - maximum);
        sum = sum * factor + ((p.A + p.B) + (p.C + p.D));
        return p;
    }

    /// <summary>1 / sum of a row, 0 where it saw no key; its log-sum-exp is written.</summary>
    private static float Finish(in ForwardWork<T> w, ArrayView<float> shared, float part, float maximum, int row, int batch, int head, int query)
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

        if (Group.IdxX % TileGroup.Across == 0 && Grid.IdxZ == 0 && query < w.Mask.Time)
        {
            w.LogSumExp[((long)batch * w.Heads + head) * w.Mask.Time + query] = maximum + XMath.Log(sum);
        }

        return sum == 0 ? 0 : 1 / sum;
    }
}
