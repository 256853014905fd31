using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>Adds sums of groups to the slot of the gradients' squares, by one group.</summary>
internal struct AddSumWork : IGpuWork<AddSumWork>
{
    public ArrayView<double> Sums;
    public ArrayView<long> State;
    public int Count;

    public static void Run(AddSumWork w)
    {
        ArrayView<double> shared = SharedMemory.Allocate<double>(GroupReduce.Most);
        double sum = 0;
        for (int i = Group.IdxX; i < w.Count; i += Group.DimX)
        {
            sum += w.Sums[i];
        }

        sum = GroupReduce.Sum(shared, sum);
        if (Group.IdxX == 0)
        {
            Slots.Set(w.State, StepSlot.GradientSquares, Slots.Double(w.State, StepSlot.GradientSquares) + sum);
        }
    }
}
