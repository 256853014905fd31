using ILGPU.Runtime.OpenCL;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>What OpenCL shows, and why it cannot be used.</summary>
internal static class OpenClProbe
{
    // CL_DEVICE_HOST_UNIFIED_MEMORY, which ILGPU does not name.
    private const CLDeviceInfoType HostUnifiedMemory = (CLDeviceInfoType)0x1035;

    public static IEnumerable<CLDevice> Devices() => NativeLibraries.Find(NativeLibraries.OpenCl) is null
        ? []
        : CLDevice.GetDevices(_ => true).OfType<CLDevice>();

    public static IEnumerable<GpuDevice> List() => Devices().Select(device => new GpuDevice(
        GpuDevices.OpenCl, device.Name, device.MemorySize, device.PlatformName, Abilities(device), WhyNot(device), IsDiscreteGpu(device)));

    public static string? WhyNone()
    {
        if (NativeLibraries.Find(NativeLibraries.OpenCl) is null)
        {
            return $"{NativeLibraries.Names(NativeLibraries.OpenCl)[0]} was not found: install an OpenCL loader (ocl-icd) and the driver of your GPU";
        }

        return Devices().Any() ? null : "no OpenCL platform shows a device: install the OpenCL driver of your GPU";
    }

    /// <summary>What a device lacks; null where it can be used.</summary>
    /// <remarks>
    /// No kernel asks for a generic address space once its source is put right; but on PoCL 3.1, which has none, some sums over a group's threads were found wrong
    /// (gradients of norms in 16 bits, of small embedding tables): devices like it stay refused unless <see cref="TriesAll"/> says otherwise.
    /// </remarks>
    public static string? WhyNot(CLDevice device)
    {
        if (!device.Capabilities.GenericAddressSpace && !TriesAll)
        {
            return device.Vendor == CLDeviceVendor.Nvidia
                ? "has no generic address space, without which kernels were not found right; use --device cuda"
                : "has no generic address space, without which kernels were not found right (PoCL 3.1); a newer driver may have it";
        }

        return OpenClCapabilities.Of(device).Lacks;
    }

    /// <summary>For whoever looks into it: <c>NANOFOLD_OPENCL_ALL=1</c>.</summary>
    private static bool TriesAll => Environment.GetEnvironmentVariable("NANOFOLD_OPENCL_ALL") == "1";

    public static bool IsDiscreteGpu(CLDevice device) =>
        device.DeviceType.HasFlag(CLDeviceType.CL_DEVICE_TYPE_GPU) && device.GetDeviceInfo(HostUnifiedMemory, out int isUnified) == CLError.CL_SUCCESS && isUnified == 0;

    private static IReadOnlyList<string> Abilities(CLDevice device) =>
        [$"OpenCL {device.DeviceVersion}", $"{device.NumMultiprocessors} compute units", .. OpenClCapabilities.Of(device).Words()];
}
