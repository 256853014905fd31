using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>One group: load[e] = f_e, and the loss, Σ partial sums / rows / MicroBatchCount, also added to the step's.</summary>
internal struct RouterLoadWork : IGpuWork<RouterLoadWork>
{
    public ArrayView<int> Offsets;
    public ArrayView<double> Partial;
    public ArrayView<float> Load, Loss;
    public ArrayView<long> State;
    public int Partials, Rows, Experts;

    public static void Run(RouterLoadWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        for (int e = Group.IdxX; e < w.Experts; e += Group.DimX)
        {
            w.Load[e] = Share(w.Offsets, e, w.Experts);
        }

        double sum = 0;
        for (int i = Group.IdxX; i < w.Partials; i += Group.DimX)
        {
            sum += w.Partial[i];
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            double mean = sum / w.Rows / w.State[(int)StepSlot.MicroBatchCount];
            w.Loss[0] = (float)mean;
            Slots.Set(w.State, StepSlot.Loss, Slots.Double(w.State, StepSlot.Loss) + mean);
        }
    }

    /// <summary>The share of slots that went to an expert.</summary>
    public static float Share(ArrayView<int> offsets, int expert, int experts) => (float)(offsets[expert + 1] - offsets[expert]) / offsets[experts];
}
