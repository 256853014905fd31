using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>w = p, or p / S with S = Σ p over the experts kept; a token a thread.</summary>
internal struct ExpertWeightsWork<T> : IGpuWork<ExpertWeightsWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Probabilities, Weights;
    public ArrayView<int> Indices;
    public long ProbabilityRow;
    public int Tokens, Slots, Renormalize;

    public static void Run(ExpertWeightsWork<T> w)
    {
        int token = Grid.IdxX * Group.DimX + Group.IdxX;
        if (token >= w.Tokens)
        {
            return;
        }

        float inverse = Inverse(w, token);
        for (int slot = token * w.Slots; slot < (token + 1) * w.Slots; slot++)
        {
            w.Weights[slot] = T.Write(T.Read(w.Probabilities[token * w.ProbabilityRow + w.Indices[slot]]) * inverse);
        }
    }

    /// <summary>1 / S, or 1.</summary>
    public static float Inverse(in ExpertWeightsWork<T> w, int token)
    {
        if (w.Renormalize == 0)
        {
            return 1;
        }

        float sum = 0;
        for (int slot = token * w.Slots; slot < (token + 1) * w.Slots; slot++)
        {
            sum += T.Read(w.Probabilities[token * w.ProbabilityRow + w.Indices[slot]]);
        }

        return 1 / sum;
    }
}
