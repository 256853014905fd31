using ILGPU;
using ILGPU.Runtime;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Gpu.Tests.Loops;

/// <summary>On a simulated device with warps as CUDA's.</summary>
public class LaneSumTests
{
    private const int Threads = 64;

    [Test]
    public void RunsOfLanesAreAddedUpByHalving([Values(1, 2, 8, 32, 64)] int lanes) => Check<SharedSum>(lanes);

    [Test]
    public void RunsOfLanesAreAddedUpByExchangeWithinWarps([Values(1, 2, 8, 32, 64)] int lanes) => Check<WarpSum>(lanes);

    private static void Check<TSum>(int lanes)
        where TSum : struct, ILaneSum
    {
        using GpuBackend backend = GpuDevices.OpenSimulator(threads: Threads, warp: WarpSum.Lanes);
        GpuContext context = backend.Context;
        float[] values = [.. Enumerable.Range(0, Threads).Select(i => (float)(i * i % 37))], sums = new float[Threads];
        var pairs = new SumPair[Threads];
        using MemoryBuffer1D<float, Stride1D.Dense> x = context.Accelerator.Allocate1D(values), y = context.Accelerator.Allocate1D<float>(Threads);
        using MemoryBuffer1D<SumPair, Stride1D.Dense> z = context.Accelerator.Allocate1D<SumPair>(Threads);
        context.Launch(new LaneSumWork<TSum> { X = x.View.AsContiguous(), Y = y.View.AsContiguous(), Pairs = z.View.AsContiguous(), Lanes = lanes }, 1, Threads);
        context.Stream.Synchronize();
        y.CopyToCPU(sums);
        z.CopyToCPU(pairs);
        for (int i = 0; i < Threads; i++)
        {
            float expected = values.Skip(i / lanes * lanes).Take(lanes).Sum();
            Assert.That((sums[i], pairs[i].First, pairs[i].Second), Is.EqualTo((expected, expected, 2 * expected)), $"[{i}]");
        }
    }
}
