using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Tests.Cpu.Time;

namespace NanoFold.Gpu.Tests.Time;

/// <summary>Decoding in chunks on a GPU; gradients are the op suite's.</summary>
public class TimeTests : GpuTests
{
    private static readonly DType[] s_types = [DType.Float32, DType.BFloat16, DType.Float16];

    [TestCaseSource(nameof(s_types))]
    public void AScanInChunksIsTheWholeScan(DType type)
    {
        foreach (bool hasInitial in new[] { false, true })
        {
            using var walk = new ChunkedWalk(Gpu, type);
            walk.AssertScan(5, hasInitial);
        }
    }

    [TestCaseSource(nameof(s_types))]
    public void AMaximumInChunksIsTheWholeOne(DType type)
    {
        using var walk = new ChunkedWalk(Gpu, type);
        walk.AssertMaxScan(5);
    }

    [TestCaseSource(nameof(s_types))]
    public void AWeightedMeanInChunksIsTheWholeOne(DType type)
    {
        using var walk = new ChunkedWalk(Gpu, type);
        walk.AssertWkv(5);
    }

    [TestCaseSource(nameof(s_types))]
    public void AConvolutionInChunksIsTheWholeConvolution(DType type)
    {
        foreach (int taps in new[] { 1, 4, 14 })
        {
            using var walk = new ChunkedWalk(Gpu, type);
            walk.AssertConvolution(5, taps);
        }
    }

    [TestCaseSource(nameof(s_types))]
    public void ARecurrentCellInChunksIsTheWholeWalk(DType type)
    {
        using var walk = new ChunkedWalk(Gpu, type);
        walk.AssertRecurrent<Gru>(5, 5, false);
        walk.AssertRecurrent<Lstm>(6, 2, true);
    }
}
