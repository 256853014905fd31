using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Logits [N, E] of a router and their softmax; a row a thread.</summary>
internal struct RouterRow<T>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Logits, Probabilities;
    public long LogitRow, ProbabilityRow;
    public int Rows, Experts;

    /// <summary>The balance loss times the number of experts, and the z-loss.</summary>
    public float Balance, Z;

    /// <summary>ln Σ exp(logits), or 0 where the z-loss has no weight.</summary>
    public static float LogSumExp(in RouterRow<T> w, int row)
    {
        if (w.Z == 0)
        {
            return 0;
        }

        long at = row * w.LogitRow;
        float largest = T.Read(w.Logits[at]), sum = 0;
        for (int e = 1; e < w.Experts; e++)
        {
            float logit = T.Read(w.Logits[at + e]);
            largest = logit > largest ? logit : largest;
        }

        for (int e = 0; e < w.Experts; e++)
        {
            sum += GpuLane.Exp(new GpuLane(T.Read(w.Logits[at + e]) - largest)).Value;
        }

        return largest + GpuLane.Log(new GpuLane(sum)).Value;
    }

    public static float Probability(in RouterRow<T> w, int row, int expert) => T.Read(w.Probabilities[row * w.ProbabilityRow + expert]);
}
