using NanoFold.Gpu.Tests.Optimizers;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Every optimizer's step on an OpenCL device.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClOptimizerTests : OptimizerTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
