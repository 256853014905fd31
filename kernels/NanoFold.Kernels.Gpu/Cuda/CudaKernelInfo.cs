using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>What CUDA's compiler says of a function.</summary>
internal static class CudaKernelInfo
{
    // CU_FUNC_ATTRIBUTE_…
    private const int SharedBytes = 1, LocalBytes = 3, Registers = 4;

    public static CompiledKernel Of(string name, nint function) =>
        new(name, Attribute(function, Registers), Attribute(function, LocalBytes), Attribute(function, SharedBytes));

    private static int Attribute(nint function, int attribute)
    {
        CudaDriver.Check(CudaDriver.FuncGetAttribute(out int value, attribute, function), "asking a kernel for its registers");
        return value;
    }
}
