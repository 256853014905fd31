using NanoFold.Gpu.Tests.Suites;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Models of every kind of part on an OpenCL device: loss and gradients are the CPU's, again the same bits, replayed, tapped and decoded.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClModelSuite : GpuModelSuite
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
