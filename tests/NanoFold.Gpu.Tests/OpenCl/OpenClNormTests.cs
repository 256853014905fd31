using NanoFold.Gpu.Tests.Norm;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>The norms on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClNormTests : NormTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
