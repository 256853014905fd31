using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>What CUDA shows, and why it shows nothing.</summary>
internal static class CudaProbe
{
    // What the kernels are compiled for at least: Turing.
    private const int LeastMajor = 7, LeastMinor = 5;

    // CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, which ILGPU does not name.
    private const int DriverMismatch = 803;

    public static IEnumerable<GpuDevice> List() => WhyNone() is not null
        ? []
        : CudaDevice.GetDevices(_ => true).OfType<CudaDevice>().Select(Describe);

    public static string? WhyNone()
    {
        if (NativeLibraries.Find(NativeLibraries.Cuda) is null)
        {
            return $"{NativeLibraries.Names(NativeLibraries.Cuda)[0]} was not found: install NVIDIA's driver";
        }

        int initialized = CudaDriver.Init(0);
        if (initialized != 0)
        {
            return $"the driver does not start ({(CudaError)initialized}): {Advice((CudaError)initialized)}";
        }

        return CudaDriver.DeviceGetCount(out int count) == 0 && count > 0
            ? null
            : "the driver shows no device: check CUDA_VISIBLE_DEVICES and nvidia-smi";
    }

    private static string Advice(CudaError error) => error switch
    {
        CudaError.CUDA_ERROR_NO_DEVICE => "there is no NVIDIA GPU, or it is hidden by CUDA_VISIBLE_DEVICES",
        (CudaError)DriverMismatch => "the library and the kernel module are of different versions; restart after an update",
        CudaError.CUDA_ERROR_INVALID_DEVICE => "check nvidia-smi",
        _ => "check nvidia-smi; after an update of the driver restart",
    };

    private static GpuDevice Describe(CudaDevice device)
    {
        CudaArchitecture architecture = device.Architecture ?? default;
        bool isOld = architecture.Major < LeastMajor || (architecture.Major == LeastMajor && architecture.Minor < LeastMinor);
        return new GpuDevice(
            GpuDevices.Cuda, device.Name, device.MemorySize, Driver(), Abilities(device, architecture),
            isOld ? $"its compute capability is {architecture.Major}.{architecture.Minor}; {LeastMajor}.{LeastMinor} (Turing) is needed" : null,
            IsDiscreteGpu: true);
    }

    private static string Driver() => CudaDriver.DriverGetVersion(out int version) == 0 ? $"CUDA {version / 1000}.{version % 1000 / 10}" : "CUDA";

    private static List<string> Abilities(CudaDevice device, CudaArchitecture architecture)
    {
        List<string> abilities = [$"compute capability {architecture.Major}.{architecture.Minor}", $"{device.NumMultiprocessors} multiprocessors"];
        if (architecture.Major >= 8)
        {
            abilities.Add("tensor cores for tf32, bf16, fp16");
        }

        abilities.Add("graphs");
        return abilities;
    }
}
