using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>dp = dw, or (dw − Σᵢ dwᵢ wᵢ) / S, for the experts kept, and 0 for the others; a token a thread.</summary>
internal struct ExpertWeightsBackwardWork<T> : IGpuWork<ExpertWeightsBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ExpertWeightsWork<T> Forward;
    public ArrayView<T> DWeights, DProbabilities;
    public long DProbabilityRow;
    public int Experts;

    public static void Run(ExpertWeightsBackwardWork<T> w)
    {
        int token = Grid.IdxX * Group.DimX + Group.IdxX;
        if (token >= w.Forward.Tokens)
        {
            return;
        }

        long row = token * w.DProbabilityRow;
        for (int expert = 0; expert < w.Experts; expert++)
        {
            w.DProbabilities[row + expert] = T.Write(0);
        }

        int first = token * w.Forward.Slots, end = first + w.Forward.Slots;
        float inverse = ExpertWeightsWork<T>.Inverse(w.Forward, token), mean = 0;
        if (w.Forward.Renormalize != 0)
        {
            for (int slot = first; slot < end; slot++)
            {
                mean += T.Read(w.DWeights[slot]) * T.Read(w.Forward.Weights[slot]);
            }
        }

        for (int slot = first; slot < end; slot++)
        {
            long at = row + w.Forward.Indices[slot];
            w.DProbabilities[at] = T.Write(T.Read(w.DProbabilities[at]) + (T.Read(w.DWeights[slot]) - mean) * inverse);
        }
    }
}
