using NanoFold.Gpu.Tests.MatMul;
using NanoFold.Gpu.Tests.Norm;
using NanoFold.Gpu.Tests.Optimizers;
using NanoFold.Gpu.Tests.Pointwise;
using NanoFold.Gpu.Tests.Suites;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Models of every kind of part on an OpenCL device: loss and gradients are the CPU's, again the same bits, replayed, tapped and decoded.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClModelSuite : GpuModelSuite
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>The norms on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClNormTests : NormTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Every optimizer's step on an OpenCL device.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClOptimizerTests : OptimizerTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Formulas and copies on an OpenCL device.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClPointwiseTests : PointwiseTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Products on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClProductTests : MatMulTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
