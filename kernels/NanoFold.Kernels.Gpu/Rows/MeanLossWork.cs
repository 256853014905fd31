using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>loss = Σ losses / TargetCount, added up in double by one group, and added to the step's loss.</summary>
internal struct MeanLossWork : IGpuWork<MeanLossWork>
{
    public ArrayView<F32> Losses;
    public ArrayView<float> Loss;
    public ArrayView<long> State;
    public int Count, IsWide;

    public static void Run(MeanLossWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        for (int i = Group.IdxX; 4 * i < w.Count; i += Group.DimX)
        {
            Quad x = Piece.Load(w.Losses, 0, i, w.Count, w.IsWide);
            sum += (double)x.A + x.B + ((double)x.C + x.D);
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
}
