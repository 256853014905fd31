using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>dLogits = scale · (e^(logits − logSumExp) − onehot), 0 for rows without target; a group a row. Scale is dLoss · LossScale / TargetCount.</summary>
internal struct CrossEntropyBackwardWork<T> : IGpuWork<CrossEntropyBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Logits, DLogits;
    public ArrayView<int> Targets;
    public ArrayView<float> LogSumExp, DLoss;
    public ArrayView<long> State;
    public long Stride, DStride;
    public int Vocab, Accumulate, IsWide;

    public static void Run(CrossEntropyBackwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(1);
        int row = Grid.IdxX, target = w.Targets[row];
        long start = row * w.Stride, dStart = row * w.DStride;
        if (target == -1)
        {
            for (int i = Group.IdxX; w.Accumulate == 0 && 4 * i < w.Vocab; i += Group.DimX)
            {
                Piece.Store(w.DLogits, dStart, i, w.Vocab, w.IsWide, default);
            }

            return;
        }

        if (Group.IdxX == 0)
        {
            shared[0] = (float)(w.DLoss[0] * Slots.Double(w.State, StepSlot.LossScale) / w.State[(int)StepSlot.TargetCount]);
        }

        Group.Barrier();
        float scale = shared[0], logSumExp = w.LogSumExp[row];
        for (int i = Group.IdxX; 4 * i < w.Vocab; i += Group.DimX)
        {
            Quad x = Piece.Load(w.Logits, start, i, w.Vocab, w.IsWide);
            int own = target - 4 * i;
            var value = new Quad(
                XMath.Exp(x.A - logSumExp) - (own == 0 ? 1 : 0), XMath.Exp(x.B - logSumExp) - (own == 1 ? 1 : 0),
                XMath.Exp(x.C - logSumExp) - (own == 2 ? 1 : 0), XMath.Exp(x.D - logSumExp) - (own == 3 ? 1 : 0));
            Piece.Store(w.DLogits, dStart, i, w.Vocab, w.IsWide, value * scale, w.Accumulate);
        }
    }
}
