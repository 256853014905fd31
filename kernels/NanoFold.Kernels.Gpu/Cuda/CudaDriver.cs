using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>What is needed of CUDA's driver beyond what ILGPU binds: graphs and their branches, attributes of functions.</summary>
internal static partial class CudaDriver
{
    /// <summary>Only this thread's calls on the stream are captured; other threads may do as they like.</summary>
    public const int CaptureThreadLocal = 1;

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuStreamBeginCapture_v2")]
    public static partial int StreamBeginCapture(nint stream, int mode);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuStreamEndCapture")]
    public static partial int StreamEndCapture(nint stream, out nint graph);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuStreamWaitEvent")]
    public static partial int StreamWaitEvent(nint stream, nint recorded, uint flags);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuGraphInstantiateWithFlags")]
    public static partial int GraphInstantiate(out nint executable, nint graph, ulong flags);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuGraphLaunch")]
    public static partial int GraphLaunch(nint executable, nint stream);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuGraphExecDestroy")]
    public static partial int GraphExecDestroy(nint executable);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuGraphDestroy")]
    public static partial int GraphDestroy(nint graph);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuLaunchKernelEx")]
    public static unsafe partial int LaunchKernel(LaunchConfig* config, nint function, void** parameters, void** extra);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuFuncSetAttribute")]
    public static partial int FuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuFuncGetAttribute")]
    public static partial int FuncGetAttribute(out int value, int attribute, nint function);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuModuleLoadDataEx")]
    public static unsafe partial int ModuleLoadData(out nint module, byte* image, uint options, int* kinds, nint* values);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuTensorMapEncodeTiled")]
    public static unsafe partial int TensorMapEncodeTiled(
        void* map, int type, uint rank, nint address, ulong* dimensions, ulong* strides, uint* box, uint* elementStrides, int interleave, int swizzle, int promotion, int fill);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuInit")]
    public static partial int Init(uint flags);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuDriverGetVersion")]
    public static partial int DriverGetVersion(out int version);

    [LibraryImport(NativeLibraries.Cuda, EntryPoint = "cuDeviceGetCount")]
    public static partial int DeviceGetCount(out int count);

    /// <summary>Throws with the driver's words where a call failed.</summary>
    public static void Check(int result, string what)
    {
        if (result != 0)
        {
            throw new InvalidOperationException($"cuda: {what} failed: {CudaAPI.CurrentAPI.GetErrorString((CudaError)result)} ({result})");
        }
    }
}

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
