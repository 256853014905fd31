using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>w = s p, or s p / S with S = Σ p over the experts chosen; a token a thread.</summary>
internal struct ExpertWeightsWork<T> : IGpuWork<ExpertWeightsWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Probabilities, Weights;
    public ArrayView<int> Indices;
    public long ProbabilityRow;
    public int Tokens, Slots, Renormalize;
    public float Scale;

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
            w.Weights[slot] = T.Write(T.Read(w.Probabilities[token * w.ProbabilityRow + w.Indices[slot]]) * (w.Scale * inverse));
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

        return 1 / (sum + (float)ExpertWeightsCall.Least);
    }
}

/// <summary>dp = s dw, or (s dw − Σᵢ dwᵢ wᵢ) / S, for the experts chosen, and 0 for the others; a token a thread.</summary>
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
            w.DProbabilities[at] = T.Write(T.Read(w.DProbabilities[at]) + (w.Forward.Scale * T.Read(w.DWeights[slot]) - mean) * inverse);
        }
    }
}
