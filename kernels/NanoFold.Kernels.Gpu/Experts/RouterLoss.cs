using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>Sums over a group's rows of balance · ⟨f, p⟩ and of z · logsumexp(logits)², side by side; f is read from the offsets.</summary>
internal struct RouterLossWork<T> : IGpuWork<RouterLossWork<T>>
    where T : unmanaged, IElement<T>
{
    public RouterRow<T> Row;
    public ArrayView<int> Offsets;
    public ArrayView<double> Partial;

    public static void Run(RouterLossWork<T> w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        int row = Grid.IdxX * Group.DimX + Group.IdxX;
        float balance = 0, square = 0;
        if (row < w.Row.Rows)
        {
            float product = 0, logSumExp = RouterRow<T>.LogSumExp(w.Row, row);
            for (int e = 0; e < w.Row.Experts; e++)
            {
                product += RouterLoadWork.Share(w.Offsets, e, w.Row.Experts) * RouterRow<T>.Probability(w.Row, row, e);
            }

            balance = w.Row.Balance * product;
            square = w.Row.Z * logSumExp * logSumExp;
        }

        double balances = GroupReduce.Sum(shared, balance), squares = GroupReduce.Sum(shared, square);
        if (Group.IdxX == 0)
        {
            w.Partial[2 * Grid.IdxX] = balances;
            w.Partial[2 * Grid.IdxX + 1] = squares;
        }
    }
}

/// <summary>One group: load[e] = f_e, and the loss, Σ partial sums / rows / MicroBatchCount, whose parts are also added to the step's terms.</summary>
internal struct RouterLoadWork : IGpuWork<RouterLoadWork>
{
    public ArrayView<int> Offsets;
    public ArrayView<double> Partial;
    public ArrayView<float> Load, Loss;
    public ArrayView<long> State;
    public int BalanceTerm, ZTerm, Partials, Rows, Experts;

    public static void Run(RouterLoadWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        for (int e = Group.IdxX; e < w.Experts; e += Group.DimX)
        {
            w.Load[e] = Share(w.Offsets, e, w.Experts);
        }

        double balance = 0, z = 0;
        for (int i = Group.IdxX; i < w.Partials; i += Group.DimX)
        {
            balance += w.Partial[2 * i];
            z += w.Partial[2 * i + 1];
        }

        balance = GroupReduce.Sum(shared, balance);
        z = GroupReduce.Sum(shared, z);
        if (Group.IdxX == 0)
        {
            double divisor = (double)w.Rows * w.State[(int)StepSlot.MicroBatchCount];
            w.Loss[0] = (float)((balance + z) / divisor);
            Slots.Increase(w.State, w.BalanceTerm, balance / divisor);
            Slots.Increase(w.State, w.ZTerm, z / divisor);
        }
    }

    /// <summary>The share of slots that went to an expert.</summary>
    public static float Share(ArrayView<int> offsets, int expert, int experts) => (float)(offsets[expert + 1] - offsets[expert]) / offsets[experts];
}

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
