using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>
/// Nats and log-sum-exp of a row of logits, a group a row, read once: each thread keeps its largest logit so far and the sum beside it.
/// Both are 0 where a row has no target.
/// </summary>
internal struct CrossEntropyForwardWork<T> : IGpuWork<CrossEntropyForwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Logits;
    public ArrayView<int> Targets;
    public ArrayView<float> Losses, LogSumExp;
    public long Stride;

    /// <summary>Elements of a row, and how many of them, from its start, are read in aligned pieces.</summary>
    public int Vocab, Whole;

    public static void Run(CrossEntropyForwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int row = Grid.IdxX, target = w.Targets[row];
        if (target == -1)
        {
            if (Group.IdxX == 0)
            {
                w.Losses[row] = 0;
                w.LogSumExp[row] = 0;
            }

            return;
        }

        long start = row * w.Stride;
        OnlineSum own = Sum(w, start);
        float most = GroupReduce.Max(shared, own.Most);
        float logSumExp = most + XMath.Log(GroupReduce.Sum(shared, own.Sum * XMath.Exp(own.Most - most)));
        if (Group.IdxX == 0)
        {
            // A target that is no class cannot be told to the host from here: the loss says it by not being a number.
            bool isClass = target >= 0 && target < w.Vocab;
            w.Losses[row] = isClass ? logSumExp - T.Read(w.Logits[start + (isClass ? target : 0)]) : float.NaN;
            w.LogSumExp[row] = logSumExp;
        }
    }

    private static OnlineSum Sum(CrossEntropyForwardWork<T> w, long start)
    {
        int step = 4 * Group.DimX, at = 4 * Group.IdxX;
        var sum = new OnlineSum { Most = OnlineSum.Least };
        // Four loads are under way at a time.
        for (; at + 3 * step < w.Whole; at += 4 * step)
        {
            Quad a = WholePiece.Load(w.Logits, start + at), b = WholePiece.Load(w.Logits, start + at + step);
            Quad c = WholePiece.Load(w.Logits, start + at + 2 * step), d = WholePiece.Load(w.Logits, start + at + 3 * step);
            sum = OnlineSum.Add(sum, a, b, c, d);
        }

        for (; at < w.Whole; at += step)
        {
            sum = OnlineSum.Add(sum, WholePiece.Load(w.Logits, start + at));
        }

        for (at = w.Whole + Group.IdxX; at < w.Vocab; at += Group.DimX)
        {
            sum = OnlineSum.Add(sum, T.Read(w.Logits[start + at]));
        }

        return sum;
    }
}
