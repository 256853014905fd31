using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>dLogits = scale · p ⊙ (balance · (f − ⟨f, p⟩) + 2 z logsumexp) (+ dLogits), which takes p for the softmax of the logits.</summary>
internal struct RouterLossBackwardWork<T> : IGpuWork<RouterLossBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public RouterRow<T> Row;
    public ArrayView<float> Load, DLoss;
    public ArrayView<T> DLogits;
    public ArrayView<long> State;
    public long DLogitRow;
    public int Accumulate;

    public static void Run(RouterLossBackwardWork<T> w)
    {
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        if (row >= w.Row.Rows)
        {
            return;
        }

        float product = 0, logSumExp = RouterRow<T>.LogSumExp(w.Row, row);
        for (int e = 0; e < w.Row.Experts; e++)
        {
            product += w.Load[e] * RouterRow<T>.Probability(w.Row, row, e);
        }

        double scale = w.DLoss[0] * Slots.Double(w.State, StepSlot.LossScale) / w.Row.Rows / w.State[(int)StepSlot.MicroBatchCount];
        float slope = (float)(scale * w.Row.Balance), shift = (float)(scale * (2 * w.Row.Z * logSumExp - w.Row.Balance * product));
        for (int e = 0; e < w.Row.Experts; e++)
        {
            float value = RouterRow<T>.Probability(w.Row, row, e) * (w.Load[e] * slope + shift);
            long at = row * w.DLogitRow + e;
            w.DLogits[at] = T.Write(w.Accumulate != 0 ? T.Read(w.DLogits[at]) + value : value);
        }
    }
}
