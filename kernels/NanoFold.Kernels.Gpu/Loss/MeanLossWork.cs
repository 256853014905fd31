using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Loss;

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
            Quad a = WholePiece.Load(w.Losses, at), b = WholePiece.Load(w.Losses, at + step);
            Quad c = WholePiece.Load(w.Losses, at + 2 * step), d = WholePiece.Load(w.Losses, at + 3 * step);
            sum += Sum(a) + Sum(b) + (Sum(c) + Sum(d));
        }

        for (; at < w.Whole; at += step)
        {
            sum += Sum(WholePiece.Load(w.Losses, at));
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

    private static double Sum(Quad x) => (double)x.A + x.B + ((double)x.C + x.D);
}
