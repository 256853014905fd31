using ILGPU;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Gpu.Tests.Loops;

/// <summary>The sums of runs of lanes, of numbers and of pairs, by one group.</summary>
internal struct LaneSumWork<TSum> : IGpuWork<LaneSumWork<TSum>>
    where TSum : struct, ILaneSum
{
    public ArrayView<float> X, Y;
    public ArrayView<SumPair> Pairs;
    public int Lanes;

    public static void Run(LaneSumWork<TSum> work)
    {
        ArrayView<SumPair> shared = SharedMemory.Allocate<SumPair>(GroupReduce.Most);
        float x = work.X[Group.IdxX];
        work.Y[Group.IdxX] = TSum.Sum(shared.Cast<float>(), x, work.Lanes);
        work.Pairs[Group.IdxX] = TSum.Sum(shared, new SumPair { First = x, Second = 2 * x }, work.Lanes);
    }
}
