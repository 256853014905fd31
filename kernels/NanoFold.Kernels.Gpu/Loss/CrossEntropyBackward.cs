using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>dLogits = scale · (e^(logits − logSumExp) − onehot), 0 for rows without target; a group a row. Scale is dLoss · LossScale / TargetCount.</summary>
internal struct CrossEntropyBackwardWork<T> : IGpuWork<CrossEntropyBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Logits, DLogits;
    public ArrayView<int> Targets;
    public ArrayView<float> LogSumExp, DLoss;
    public ArrayView<long> State;
    public long Stride, DStride;

    /// <summary>Elements of a row, and how many of them, from its start, are aligned pieces.</summary>
    public int Vocab, Whole;
    public int Accumulate;

    public static void Run(CrossEntropyBackwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(1);
        int row = Grid.IdxX, target = w.Targets[row], step = 4 * Group.DimX;
        long start = row * w.Stride, dStart = row * w.DStride;
        if (target == -1)
        {
            Clear(w, dStart);
            return;
        }

        if (Group.IdxX == 0)
        {
            shared[0] = GradientScaleWork.Scale(w.DLoss, w.State);
        }

        Group.Barrier();
        float scale = shared[0], logSumExp = w.LogSumExp[row];
        int at = 4 * Group.IdxX;
        // Two loads are under way at a time.
        for (; at + step < w.Whole; at += 2 * step)
        {
            Float4 a = AlignedPiece.Load(w.Logits, start + at), b = AlignedPiece.Load(w.Logits, start + at + step);
            Store(w, dStart + at, Gradient(a, logSumExp, target - at) * scale);
            Store(w, dStart + at + step, Gradient(b, logSumExp, target - at - step) * scale);
        }

        for (; at < w.Whole; at += step)
        {
            Store(w, dStart + at, Gradient(AlignedPiece.Load(w.Logits, start + at), logSumExp, target - at) * scale);
        }

        for (at = w.Whole + Group.IdxX; at < w.Vocab; at += Group.DimX)
        {
            float value = (XMath.Exp(T.Read(w.Logits[start + at]) - logSumExp) - (at == target ? 1f : 0f)) * scale;
            w.DLogits[dStart + at] = T.Write(w.Accumulate != 0 ? T.Read(w.DLogits[dStart + at]) + value : value);
        }
    }

    /// <param name="x">Four logits.</param>
    /// <param name="logSumExp">Of their row.</param>
    /// <param name="own">Which of them is the target.</param>
    private static Float4 Gradient(Float4 x, float logSumExp, int own) => new(
        XMath.Exp(x.A - logSumExp) - (own == 0 ? 1f : 0f), XMath.Exp(x.B - logSumExp) - (own == 1 ? 1f : 0f),
        XMath.Exp(x.C - logSumExp) - (own == 2 ? 1f : 0f), XMath.Exp(x.D - logSumExp) - (own == 3 ? 1f : 0f));

    private static void Store(CrossEntropyBackwardWork<T> w, long element, Float4 value)
        => AlignedPiece.Store(w.DLogits, element, w.Accumulate != 0 ? AlignedPiece.Load(w.DLogits, element) + value : value);

    private static void Clear(CrossEntropyBackwardWork<T> w, long row)
    {
        for (int at = 4 * Group.IdxX; w.Accumulate == 0 && at < w.Whole; at += 4 * Group.DimX)
        {
            AlignedPiece.Store(w.DLogits, row + at, default);
        }

        for (int at = w.Whole + Group.IdxX; w.Accumulate == 0 && at < w.Vocab; at += Group.DimX)
        {
            w.DLogits[row + at] = T.Write(0);
        }
    }
}

/// <summary>What the gradients of rows are multiplied by, where one thread for all rows reads it: dLoss · LossScale / TargetCount.</summary>
internal struct GradientScaleWork : IGpuWork<GradientScaleWork>
{
    public ArrayView<float> DLoss, Into;
    public ArrayView<long> State;

    public static void Run(GradientScaleWork w) => w.Into[0] = Scale(w.DLoss, w.State);

    public static float Scale(ArrayView<float> dLoss, ArrayView<long> state)
        => (float)(dLoss[0] * Slots.Double(state, StepSlot.LossScale) / state[(int)StepSlot.TargetCount]);
}
