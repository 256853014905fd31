using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.OpenCl;

namespace NanoFold.Kernels.Gpu;

/// <summary>Finds GPUs and opens them.</summary>
public static class GpuDevices
{
    public const string Cuda = "cuda";
    public const string OpenCl = "opencl";

    /// <summary>Everything that the interfaces show, usable or not, CUDA first and discrete GPUs before others.</summary>
    public static IReadOnlyList<GpuDevice> List()
    {
        NativeLibraries.Install();
        return [.. CudaProbe.List(), .. OpenClProbe.List().OrderByDescending(d => d.IsUsable).ThenByDescending(d => d.IsDiscreteGpu)];
    }

    /// <summary>Why an interface shows no device at all, and what to do, in one line; null where it shows some.</summary>
    public static string? WhyNone(string kind)
    {
        NativeLibraries.Install();
        return kind == Cuda ? CudaProbe.WhyNone() : OpenClProbe.WhyNone();
    }

    /// <summary>The first CUDA device, or null.</summary>
    public static GpuBackend? OpenCuda(bool composedOnly = false) => Open<CudaDevice>(b => b.Cuda(), composedOnly);

    /// <summary>The first OpenCL device that can be used, discrete GPUs before others, or null.</summary>
    public static GpuBackend? OpenOpenCl(bool composedOnly = false) => OpenOpenCl(composedOnly, capabilities => capabilities);

    /// <summary>As above, of a device that is taken to have what <paramref name="limit"/> leaves of what it has.</summary>
    /// <exception cref="NotSupportedException">What is left is too little.</exception>
    internal static GpuBackend? OpenOpenCl(bool composedOnly, Func<OpenClCapabilities, OpenClCapabilities> limit)
    {
        NativeLibraries.Install();
        CLDevice? device = OpenClProbe.Devices().Where(d => OpenClProbe.WhyNot(d) is null).OrderByDescending(OpenClProbe.IsDiscreteGpu).FirstOrDefault();
        if (device is null)
        {
            return null;
        }

        OpenClCapabilities capabilities = limit(OpenClCapabilities.Of(device));
        return capabilities.Lacks is { } reason
            ? throw new NotSupportedException($"{device.Name}: {reason}")
            : Open<CLDevice>(b => b.OpenCL(d => d.DeviceId == device.DeviceId), composedOnly, capabilities);
    }

    /// <summary>ILGPU's simulator on the host's processor: right, and slow.</summary>
    public static GpuBackend OpenSimulator(bool composedOnly = false, int threads = 16, int warp = 16) => OpenSimulator(null, composedOnly, threads, warp);

    /// <summary>As above, with streams that wait for each other, as those of a device that captures steps do.</summary>
    internal static GpuBackend OpenSimulator(IStreamEvents? events, bool composedOnly = false, int threads = 16, int warp = 16) =>
        Open<CPUDevice>(b => b.CPU(new CPUDevice(numThreadsPerWarp: warp, numWarpsPerMultiprocessor: threads / warp, numMultiprocessors: 1)), composedOnly, events: events)!;

    private static GpuBackend? Open<TDevice>(Action<Context.Builder> add, bool composedOnly, OpenClCapabilities? openCl = null, IStreamEvents? events = null)
        where TDevice : Device
    {
        NativeLibraries.Install();
        Context context = Context.Create(builder =>
        {
            // Kernels of OpenCL are written by a context of their own.
            _ = openCl is null ? builder.EnableAlgorithms().Optimize(OptimizationLevel.O2) : builder;
            add(builder);
        });
        if (context.Devices.OfType<TDevice>().FirstOrDefault() is { } device)
        {
            return new GpuBackend(new GpuContext(context, device, openCl, events), composedOnly);
        }

        context.Dispose();
        return null;
    }
}

/// <summary>A GPU, or another device of its interfaces, that the system shows.</summary>
/// <param name="Kind"><c>cuda</c> or <c>opencl</c>.</param>
/// <param name="Name">As the driver gives it.</param>
/// <param name="MemoryBytes">Of its own.</param>
/// <param name="Driver">The driver's version, or the OpenCL platform.</param>
/// <param name="Abilities">What it can do beyond computing in single precision, in a few words each.</param>
/// <param name="Reason">Why it cannot be used and what to do; null where it can.</param>
/// <param name="IsDiscreteGpu">A GPU with memory of its own: what <c>--device auto</c> takes.</param>
public sealed record GpuDevice(string Kind, string Name, long MemoryBytes, string Driver, IReadOnlyList<string> Abilities, string? Reason, bool IsDiscreteGpu)
{
    public bool IsUsable => Reason is null;
}
