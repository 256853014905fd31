using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

/// <summary>
/// Nats and log-sum-exp of a row of logits, a group a row, read once: each thread keeps its largest logit so far and the sum beside it. Where the product left such sums of
/// parts of the row, only they are read, and the target's logit. Both are 0 where a row has no target.
/// </summary>
internal struct CrossEntropyForwardWork<T> : IGpuWork<CrossEntropyForwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Logits;
    public ArrayView<int> Targets;
    public ArrayView<float> Losses, LogSumExp;

    /// <summary>What the product that made the logits left of each row: the largest of a part of them, and the sum beside it.</summary>
    public ArrayView<float> Parts;
    public long Stride;

    /// <summary>Elements of a row, and how many of them, from its start, are read in aligned pieces.</summary>
    public int Vocab, Whole;

    /// <summary>Of a row; 0 where logits are read.</summary>
    public int PartCount;

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
        OnlineSum own = w.PartCount == 0 ? Sum(w, start) : Joined(w, 2L * row * w.PartCount);
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

    private static OnlineSum Joined(CrossEntropyForwardWork<T> w, long start)
    {
        var sum = new OnlineSum { Most = OnlineSum.Least };
        for (int at = Group.IdxX; at < w.PartCount; at += Group.DimX)
        {
            sum = OnlineSum.Join(sum, w.Parts[start + (2L * at)], w.Parts[start + (2L * at) + 1]);
        }

        return sum;
    }

    private static OnlineSum Sum(CrossEntropyForwardWork<T> w, long start)
    {
        int step = 4 * Group.DimX, at = 4 * Group.IdxX;
        var sum = new OnlineSum { Most = OnlineSum.Least };
        // Four loads are under way at a time.
        for (; at + 3 * step < w.Whole; at += 4 * step)
        {
            Float4 a = AlignedPiece.Load(w.Logits, start + at), b = AlignedPiece.Load(w.Logits, start + at + step);
            Float4 c = AlignedPiece.Load(w.Logits, start + at + 2 * step), d = AlignedPiece.Load(w.Logits, start + at + 3 * step);
            sum = OnlineSum.Add(sum, a, b, c, d);
        }

        for (; at < w.Whole; at += step)
        {
            sum = OnlineSum.Add(sum, AlignedPiece.Load(w.Logits, start + at));
        }

        for (at = w.Whole + Group.IdxX; at < w.Vocab; at += Group.DimX)
        {
            sum = OnlineSum.Add(sum, T.Read(w.Logits[start + at]));
        }

        return sum;
    }
}

/// <summary>Σ e^(x − most) over what was seen so far, beside the largest of it.</summary>
internal struct OnlineSum
{
    /// <summary>Less than any logit but −∞, and no infinity: a difference to it is a number.</summary>
    public const float Least = float.MinValue;

    public float Most, Sum;

    public static OnlineSum Add(OnlineSum s, float x)
    {
        s = Raise(s, x);
        s.Sum += XMath.Exp(x - s.Most);
        return s;
    }

    public static OnlineSum Add(OnlineSum s, Float4 x)
    {
        s = Raise(s, Largest(x));
        s.Sum += Exponentials(x, s.Most);
        return s;
    }

    public static OnlineSum Add(OnlineSum s, Float4 a, Float4 b, Float4 c, Float4 d)
    {
        s = Raise(s, IntrinsicMath.Max(IntrinsicMath.Max(Largest(a), Largest(b)), IntrinsicMath.Max(Largest(c), Largest(d))));
        s.Sum += Exponentials(a, s.Most) + Exponentials(b, s.Most) + (Exponentials(c, s.Most) + Exponentials(d, s.Most));
        return s;
    }

    /// <summary>With another sum beside its largest.</summary>
    public static OnlineSum Join(OnlineSum s, float most, float sum)
    {
        s = Raise(s, most);
        s.Sum += sum * XMath.Exp(most - s.Most);
        return s;
    }

    private static OnlineSum Raise(OnlineSum s, float x)
    {
        if (x > s.Most)
        {
            s.Sum *= XMath.Exp(s.Most - x);
            s.Most = x;
        }

        return s;
    }

    private static float Largest(Float4 x) => IntrinsicMath.Max(IntrinsicMath.Max(x.A, x.B), IntrinsicMath.Max(x.C, x.D));

    private static float Exponentials(Float4 x, float most) => XMath.Exp(x.A - most) + XMath.Exp(x.B - most) + (XMath.Exp(x.C - most) + XMath.Exp(x.D - most));
}

/// <summary>loss = Σ losses / TargetCount, added up in double by one group, and added to the step's loss.</summary>
internal struct MeanLossWork : IGpuWork<MeanLossWork>
{
    public ArrayView<F32> Losses;
    public ArrayView<float> Loss;
    public ArrayView<long> State;

    /// <summary>Losses, and how many of them are aligned pieces.</summary>
    public int Count, Whole;

    public static void Run(MeanLossWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        int step = 4 * Group.DimX, at = 4 * Group.IdxX;
        for (; at + 3 * step < w.Whole; at += 4 * step)
        {
            Float4 a = AlignedPiece.Load(w.Losses, at), b = AlignedPiece.Load(w.Losses, at + step);
            Float4 c = AlignedPiece.Load(w.Losses, at + 2 * step), d = AlignedPiece.Load(w.Losses, at + 3 * step);
            sum += Sum(a) + Sum(b) + (Sum(c) + Sum(d));
        }

        for (; at < w.Whole; at += step)
        {
            sum += Sum(AlignedPiece.Load(w.Losses, at));
        }

        for (at = w.Whole + Group.IdxX; at < w.Count; at += Group.DimX)
        {
            sum += F32.Read(w.Losses[at]);
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            long targets = w.State[(int)StepSlot.TargetCount];
            // Without targets there is nothing to divide; losses without a count of their targets are no mean.
            double mean = targets > 0 ? sum / targets : sum == 0 ? 0 : double.NaN;
            w.Loss[0] = (float)mean;
            Slots.Set(w.State, StepSlot.Loss, Slots.Double(w.State, StepSlot.Loss) + mean);
        }
    }

    private static double Sum(Float4 x) => (double)x.A + x.B + ((double)x.C + x.D);
}
