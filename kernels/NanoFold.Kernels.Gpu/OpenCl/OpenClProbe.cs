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
    public static string? WhyNot(CLDevice device) => OpenClCapabilities.Of(device).Lacks;

    public static bool IsDiscreteGpu(CLDevice device) =>
        device.DeviceType.HasFlag(CLDeviceType.CL_DEVICE_TYPE_GPU) && device.GetDeviceInfo(HostUnifiedMemory, out int isUnified) == CLError.CL_SUCCESS && isUnified == 0;

    private static IReadOnlyList<string> Abilities(CLDevice device) =>
        [$"OpenCL {device.DeviceVersion}", $"{device.NumMultiprocessors} compute units", .. OpenClCapabilities.Of(device).Words()];
}
