using NanoFold.Gpu.Tests.MatMul;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Products on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClProductTests : MatMulTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
