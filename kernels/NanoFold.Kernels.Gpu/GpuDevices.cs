using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using ILGPU.Algorithms;

namespace NanoFold.Kernels.Gpu;

/// <summary>Opens GPUs.</summary>
public static class GpuDevices
{
    /// <summary>The first CUDA device, or null.</summary>
    public static GpuBackend? OpenCuda(bool composedOnly = false) => Open<CudaDevice>(b => b.Cuda(), _ => true, composedOnly);

    /// <summary>The first OpenCL device that can be used, GPUs before others, or null.</summary>
    public static GpuBackend? OpenOpenCl(bool composedOnly = false) => Open<CLDevice>(b => b.OpenCL(), _ => true, composedOnly);

    /// <summary>ILGPU's simulator on the host's processor: right, and slow.</summary>
    internal static GpuBackend OpenSimulator(bool composedOnly = false) =>
        Open<CPUDevice>(b => b.CPU(new CPUDevice(numThreadsPerWarp: 16, numWarpsPerMultiprocessor: 1, numMultiprocessors: 1)), _ => true, composedOnly)!;

    private static GpuBackend? Open<TDevice>(Action<Context.Builder> add, Predicate<TDevice> fits, bool composedOnly)
        where TDevice : Device
    {
        NativeLibraries.Install();
        Context context = Context.Create(builder =>
        {
            builder.EnableAlgorithms().Optimize(OptimizationLevel.O2);
            add(builder);
        });
        foreach (Device device in context.Devices)
        {
            if (device is TDevice own && fits(own))
            {
                return new GpuBackend(new GpuContext(context, device), composedOnly);
            }
        }

        context.Dispose();
        return null;
    }
}
