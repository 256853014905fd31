using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Experts;

/// <summary>
/// Weights of the experts chosen: w = s p, or s p / S with S = Σ p over those chosen. Backward dp = s dw, or (s dw − Σᵢ dwᵢ wᵢ) / S;
/// 0 for the others. A few scalars per token, so there is nothing for wide lanes to do.
/// </summary>
internal unsafe struct ExpertWeights : ILaneWork
{
    public byte* Probabilities;
    public long ProbabilityStride;
    public byte* DProbabilities;
    public long DProbabilityStride;
    public int* Indices;
    public void* Weights;
    public void* DWeights;
    public long Tokens;
    public int TokensPerItem;
    public int Slots;
    public int Experts;
    public bool Renormalize;
    public double Scale;
    public bool Backward;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            byte* p = Probabilities + token * ProbabilityStride * V.Type.Size();
            double inverse = 1;
            if (Renormalize)
            {
                double sum = 0;
                for (int j = 0; j < Slots; j++)
                {
                    sum += Element.Get<V>(p, Indices[token * Slots + j]);
                }

                inverse = 1 / (sum + ExpertWeightsCall.Least);
            }

            if (Backward)
            {
                Gradient<V>(token, inverse);
            }
            else
            {
                for (int j = 0; j < Slots; j++)
                {
                    long slot = token * Slots + j;
                    Element.Set<V>(Weights, slot, Element.Get<V>(p, Indices[slot]) * (Scale * inverse));
                }
            }
        }
    }

    private readonly void Gradient<V>(long token, double inverse)
        where V : struct, ICpuLane<V>
    {
        byte* dp = DProbabilities + token * DProbabilityStride * V.Type.Size();
        Unsafe.InitBlockUnaligned(dp, 0, checked((uint)((long)Experts * V.Type.Size())));
        double mean = 0;
        for (int j = 0; Renormalize && j < Slots; j++)
        {
            long slot = token * Slots + j;
            mean += Element.Get<V>(DWeights, slot) * Element.Get<V>(Weights, slot);
        }

        for (int j = 0; j < Slots; j++)
        {
            long slot = token * Slots + j;
            int expert = Indices[slot];
            Element.Set<V>(dp, expert, Element.Get<V>(dp, expert) + (Scale * Element.Get<V>(DWeights, slot) - mean) * inverse);
        }
    }
}
