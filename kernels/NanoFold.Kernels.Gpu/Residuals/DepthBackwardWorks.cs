using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Residuals;

/// <summary>
/// Makes ⟨w, v_i⟩, r_i and ⟨dy, v_i⟩ of a token the factors of its values' gradients: p_i, ds_i r_i and −ds_i r_i³ ⟨w, v_i⟩ / C; a token a thread.
/// </summary>
internal struct DepthFactorWork : IGpuWork<DepthFactorWork>
{
    public ArrayView<float> Weights, Factors;
    public int Tokens, Count, Width;

    public static void Run(DepthFactorWork w)
    {
        int token = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (token >= w.Tokens)
        {
            return;
        }

        long row = (long)token * w.Count;
        float mean = 0;
        for (int i = 0; i < w.Count; i++)
        {
            mean += w.Weights[row + i] * w.Factors[(3 * (row + i)) + 2];
        }

        for (int i = 0; i < w.Count; i++)
        {
            long at = 3 * (row + i);
            float p = w.Weights[row + i], dot = w.Factors[at], inverse = w.Factors[at + 1], slope = p * (w.Factors[at + 2] - mean) * inverse;
            w.Factors[at] = p;
            w.Factors[at + 1] = slope;
            w.Factors[at + 2] = -slope * inverse * inverse / w.Width * dot;
        }
    }
}

/// <summary>dv (+)= p dy + slope w + third v of one value, and the group's Σ slope v over its tokens, added to those of the values before; a channel a thread.</summary>
internal struct DepthGradientWork<T> : IGpuWork<DepthGradientWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Value, Query, Gain, DY, DValue;
    public ArrayView<float> Factors, Partials;
    public int Tokens, Width, Stride, PerGroup, IsFirst, HasGradient, Accumulate;

    public static void Run(DepthGradientWork<T> w)
    {
        int channel = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (channel >= w.Width)
        {
            return;
        }

        int first = Grid.IdxY * w.PerGroup, end = IntrinsicMath.Min(first + w.PerGroup, w.Tokens);
        float query = T.Read(w.Query[channel]) * T.Read(w.Gain[channel]), sum = 0;
        for (int token = first; token < end; token++)
        {
            long factor = (long)token * w.Stride, at = ((long)token * w.Width) + channel;
            float v = T.Read(w.Value[at]), slope = w.Factors[factor + 1];
            sum += slope * v;
            if (w.HasGradient != 0)
            {
                float value = (w.Factors[factor] * T.Read(w.DY[at])) + (slope * query) + (w.Factors[factor + 2] * v);
                w.DValue[at] = T.Write(w.Accumulate != 0 ? T.Read(w.DValue[at]) + value : value);
            }
        }

        long partial = ((long)Grid.IdxY * w.Width) + channel;
        w.Partials[partial] = w.IsFirst != 0 ? sum : w.Partials[partial] + sum;
    }
}

/// <summary>With dw the sum of the groups' partial sums: dQuery += dw ⊙ gain, dGain += dw ⊙ query; a channel a thread.</summary>
internal struct DepthParameterWork<T> : IGpuWork<DepthParameterWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Query, Gain;
    public ArrayView<float> DQuery, DGain, Partials;
    public int Groups, Width, HasQuery, HasGain;

    public static void Run(DepthParameterWork<T> w)
    {
        int channel = (Grid.IdxX * Group.DimX) + Group.IdxX;
        if (channel >= w.Width)
        {
            return;
        }

        float sum = 0;
        for (int group = 0; group < w.Groups; group++)
        {
            sum += w.Partials[((long)group * w.Width) + channel];
        }

        if (w.HasQuery != 0)
        {
            w.DQuery[channel] += sum * T.Read(w.Gain[channel]);
        }

        if (w.HasGain != 0)
        {
            w.DGain[channel] += sum * T.Read(w.Query[channel]);
        }
    }
}
