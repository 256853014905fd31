using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>p = softmax_i(r_i ⟨w, v_i⟩) with w = query ⊙ gain and r_i the rsqrt of v_i, y = Σ_i p_i v_i.</summary>
internal unsafe struct DepthAttention : ILaneWork
{
    public CpuContext Context;
    public ReadOnlyMemory<View> Values;
    public void* Query;
    public void* Gain;
    public byte* Weights;
    public byte* Y;
    public long Tokens;
    public long TokensPerItem;
    public int Width;
    public double Epsilon;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int count = Values.Length;
        nint size = Element.Size<V>(), bytes = Width * size;
        byte* scratch = (byte*)Context.Scratch(worker, (count * (sizeof(double) + sizeof(nint))) + bytes);
        double* scores = (double*)scratch;
        byte** values = (byte**)(scores + count);
        void* w = values + count;
        DepthLanes.Addresses(Values, values);
        DepthLanes.Multiply<V>(Query, Gain, w, Width);
        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            nint row = (nint)token * bytes;
            double largest = double.NegativeInfinity, sum = 0;
            for (int i = 0; i < count; i++)
            {
                void* v = values[i] + row;
                (double square, double dot, _) = DepthLanes.Products<V>(v, w, null, Width);
                scores[i] = dot / Math.Sqrt((square / Width) + Epsilon);
                largest = Math.Max(largest, scores[i]);
            }

            for (int i = 0; i < count; i++)
            {
                sum += scores[i] = PortableMath.Exp(scores[i] - largest);
            }

            for (int i = 0; i < count; i++)
            {
                Element.Set<V>(Weights, (token * count) + i, scores[i] / sum);
            }

            DepthLanes.Sum<V>(values, row, Weights + ((nint)token * count * size), count, Y + row, Width);
        }
    }
}

/// <summary>What the two directions share.</summary>
internal static unsafe class DepthLanes
{
    public static void Addresses(ReadOnlyMemory<View> views, byte** addresses)
    {
        ReadOnlySpan<View> span = views.Span;
        for (int i = 0; i < span.Length; i++)
        {
            addresses[i] = (byte*)span[i].Address;
        }
    }

    /// <summary>y = a ⊙ b.</summary>
    public static void Multiply<V>(void* a, void* b, void* y, nint width)
        where V : struct, ICpuLane<V>
    {
        nint c = 0;
        for (; c <= width - V.Width; c += V.Width)
        {
            V.Store(y, c, V.Load(a, c) * V.Load(b, c));
        }

        int rest = (int)(width - c);
        if (rest > 0)
        {
            V.StorePart(y, c, rest, V.LoadPart(a, c, rest) * V.LoadPart(b, c, rest));
        }
    }

    /// <summary>⟨v, v⟩, ⟨v, w⟩ and, where there is one, ⟨v, dy⟩ in one pass.</summary>
    public static (double Square, double Query, double Gradient) Products<V>(void* v, void* w, void* dy, nint width)
        where V : struct, ICpuLane<V>
    {
        double square = 0, query = 0, gradient = 0;
        for (nint start = 0; start < width; start += LaneSum.Chunk)
        {
            nint end = Math.Min(start + LaneSum.Chunk, width), c = start;
            V s0 = V.Constant(0), s1 = s0, q0 = s0, q1 = s0, g0 = s0, g1 = s0;
            for (; c <= end - (2 * V.Width); c += 2 * V.Width)
            {
                V a = V.Load(v, c), b = V.Load(v, c + V.Width);
                s0 = V.MultiplyAdd(a, a, s0);
                s1 = V.MultiplyAdd(b, b, s1);
                q0 = V.MultiplyAdd(a, V.Load(w, c), q0);
                q1 = V.MultiplyAdd(b, V.Load(w, c + V.Width), q1);
                if (dy is not null)
                {
                    g0 = V.MultiplyAdd(a, V.Load(dy, c), g0);
                    g1 = V.MultiplyAdd(b, V.Load(dy, c + V.Width), g1);
                }
            }

            for (; c < end; c += V.Width)
            {
                int count = (int)Math.Min(V.Width, end - c);
                V a = V.LoadPart(v, c, count);
                s0 = V.MultiplyAdd(a, a, s0);
                q0 = V.MultiplyAdd(a, V.LoadPart(w, c, count), q0);
                g0 = dy is null ? g0 : V.MultiplyAdd(a, V.LoadPart(dy, c, count), g0);
            }

            square += V.Sum(s0 + s1);
            query += V.Sum(q0 + q1);
            gradient += V.Sum(g0 + g1);
        }

        return (square, query, gradient);
    }

    /// <summary>y = Σ_i weights_i v_i, four lanes beside each other.</summary>
    public static void Sum<V>(byte** values, nint row, void* weights, int count, void* y, nint width)
        where V : struct, ICpuLane<V>
    {
        nint c = 0;
        for (; c <= width - (4 * V.Width); c += 4 * V.Width)
        {
            V y0 = V.Constant(0), y1 = y0, y2 = y0, y3 = y0;
            for (int i = 0; i < count; i++)
            {
                V p = V.Splat(weights, i);
                byte* v = values[i] + row;
                y0 = V.MultiplyAdd(p, V.Load(v, c), y0);
                y1 = V.MultiplyAdd(p, V.Load(v, c + V.Width), y1);
                y2 = V.MultiplyAdd(p, V.Load(v, c + (2 * V.Width)), y2);
                y3 = V.MultiplyAdd(p, V.Load(v, c + (3 * V.Width)), y3);
            }

            V.Store(y, c, y0);
            V.Store(y, c + V.Width, y1);
            V.Store(y, c + (2 * V.Width), y2);
            V.Store(y, c + (3 * V.Width), y3);
        }

        for (; c <= width - V.Width; c += V.Width)
        {
            One<V, Whole<V>>(values, row, weights, count, y, c, 0);
        }

        if (c < width)
        {
            One<V, Part<V>>(values, row, weights, count, y, c, (int)(width - c));
        }
    }

    private static void One<V, P>(byte** values, nint row, void* weights, int count, void* y, nint c, int elements)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V sum = V.Constant(0);
        for (int i = 0; i < count; i++)
        {
            sum = V.MultiplyAdd(V.Splat(weights, i), P.Load(values[i] + row, c, elements), sum);
        }

        P.Store(y, c, elements, sum);
    }
}
