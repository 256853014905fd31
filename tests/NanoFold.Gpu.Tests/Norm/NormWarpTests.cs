using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests.Norm;

/// <summary>The norms on a simulated device with warps, as CUDA's have: what runs there runs here. Rows have each number of pieces a lane.</summary>
[Category("Long")]
public class NormWarpTests : NormTests
{
    private protected override int[][] Shapes => IsSimulated
        ? [[5, 7], [2, 3, 32], [19, 50], [9, 128], [3, 250], [5, 384], [3, 512], [9, 768], [3, 1000], [2, 1800], [2, 2100]]
        : base.Shapes;

    private protected override GpuBackend OpenGpu() => IsSimulated ? GpuDevices.OpenSimulator(threads: 64, warp: 32) : base.OpenGpu();
}
