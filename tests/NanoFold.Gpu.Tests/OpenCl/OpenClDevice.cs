using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.OpenCl;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>The OpenCL device that tests run on, where the system has one that can be used: a GPU, or PoCL on the processor.</summary>
internal static class OpenClDevice
{
    public const string Category = "OpenCl";

    /// <summary>Opens it, or has the test ignored with the reason.</summary>
    /// <param name="limit">Takes away what it is not to have.</param>
    /// <param name="composedOnly">Without the kernels that have a composed path.</param>
    public static GpuBackend Open(Func<OpenClCapabilities, OpenClCapabilities>? limit = null, bool composedOnly = false)
    {
        GpuDevice[] devices = [.. GpuDevices.List().Where(d => d.Kind == GpuDevices.OpenCl)];
        if (!devices.Any(d => d.IsUsable))
        {
            Assert.Ignore(devices.Length > 0 ? $"{devices[0].Name}: {devices[0].Reason}" : $"no OpenCL device: {GpuDevices.WhyNone(GpuDevices.OpenCl)}");
        }

        GpuBackend backend = GpuDevices.OpenOpenCl(composedOnly, limit ?? (capabilities => capabilities))!;

        // A suite that runs once has nothing of them.
        backend.Context.Binaries.Least = TimeSpan.MaxValue;
        return backend;
    }
}
