using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>
/// With ds_i = p_i (⟨dy, v_i⟩ − Σ_j p_j ⟨dy, v_j⟩): dv_i = p_i dy + ds_i r_i w − ds_i r_i³ ⟨w, v_i⟩ / C · v_i, dw = Σ ds_i r_i v_i. Each item adds dw ⊙ gain and
/// dw ⊙ query of its tokens up in its own partial sums [2, C].
/// </summary>
internal unsafe struct DepthAttentionBackward : ILaneWork
{
    public CpuContext Context;
    public ReadOnlyMemory<View> Values;
    public ReadOnlyMemory<View> DValues;
    public ReadOnlyMemory<bool> Accumulate;
    public void* Query;
    public void* Gain;
    public byte* Weights;
    public byte* DY;
    public byte* Partials;
    public long Tokens;
    public long TokensPerItem;
    public int Width;
    public double Epsilon;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int count = Values.Length;
        nint size = Element.Size<V>(), bytes = Width * size;
        // Of each value: p, ds r and −ds r³ ⟨w, v⟩ / C.
        byte* scratch = (byte*)Context.Scratch(worker, (count * ((2 * sizeof(nint)) + (3 * sizeof(double)))) + bytes);
        byte** values = (byte**)scratch, gradients = values + count;
        double* factors = (double*)(gradients + count);
        void* w = factors + (3 * count);
        DepthLanes.Addresses(Values, values);
        DepthLanes.Addresses(DValues, gradients);
        DepthLanes.Multiply<V>(Query, Gain, w, Width);
        byte* dw = Partials is null ? null : Partials + ((nint)item * 2 * bytes);
        if (dw is not null)
        {
            new Span<byte>(dw, checked((int)bytes)).Clear();
        }

        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            nint row = (nint)token * bytes;
            Factors<V>(token, values, row, w, factors);
            nint c = 0;
            for (; c <= Width - V.Width; c += V.Width)
            {
                Lane<V, Whole<V>>(values, gradients, row, w, factors, dw, c, 0);
            }

            if (c < Width)
            {
                Lane<V, Part<V>>(values, gradients, row, w, factors, dw, c, (int)(Width - c));
            }
        }

        if (dw is not null)
        {
            DepthLanes.Multiply<V>(dw, Query, dw + bytes, Width);
            DepthLanes.Multiply<V>(dw, Gain, dw, Width);
        }
    }

    private readonly void Factors<V>(long token, byte** values, nint row, void* w, double* factors)
        where V : struct, ICpuLane<V>
    {
        int count = Values.Length;
        double mean = 0;
        for (int i = 0; i < count; i++)
        {
            (double square, double query, double gradient) = DepthLanes.Products<V>(values[i] + row, w, DY + row, Width);
            double p = Element.Get<V>(Weights, (token * count) + i), inverse = 1 / Math.Sqrt((square / Width) + Epsilon);
            factors[3 * i] = gradient;
            factors[(3 * i) + 1] = inverse;
            factors[(3 * i) + 2] = -inverse * inverse / Width * query;
            mean += p * gradient;
        }

        for (int i = 0; i < count; i++)
        {
            double p = Element.Get<V>(Weights, (token * count) + i), slope = p * (factors[3 * i] - mean) * factors[(3 * i) + 1];
            factors[3 * i] = p;
            factors[(3 * i) + 1] = slope;
            factors[(3 * i) + 2] *= slope;
        }
    }

    private readonly void Lane<V, P>(byte** values, byte** gradients, nint row, void* w, double* factors, byte* dw, nint c, int elements)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V dy = P.Load(DY + row, c, elements), query = P.Load(w, c, elements), sum = dw is null ? default : P.Load(dw, c, elements);
        ReadOnlySpan<bool> accumulate = Accumulate.Span;
        for (int i = 0; i < accumulate.Length; i++)
        {
            V v = P.Load(values[i] + row, c, elements), slope = V.Constant(factors[(3 * i) + 1]);
            sum = V.MultiplyAdd(slope, v, sum);
            if (gradients[i] is not null)
            {
                V dv = V.MultiplyAdd(V.Constant(factors[3 * i]), dy, V.MultiplyAdd(slope, query, V.Constant(factors[(3 * i) + 2]) * v));
                void* target = gradients[i] + row;
                P.Store(target, c, elements, accumulate[i] ? dv + P.Load(target, c, elements) : dv);
            }
        }

        if (dw is not null)
        {
            P.Store(dw, c, elements, sum);
        }
    }
}
