using NanoFold.Gpu.Tests.Pointwise;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Formulas and copies on an OpenCL device.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClPointwiseTests : PointwiseTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
