using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>
/// Where kernels may be started while the one before them still runs (CUDA's programmatic dependent launch): what they do before they touch memory, and the launch itself, then takes no
/// time of its own. A captured graph keeps it.
/// </summary>
internal static class EarlyLaunch
{
    /// <summary>Compute capability from which devices can, and the driver from which graphs keep it (CUDA 12.3).</summary>
    public const int Architecture = 90, Driver = 12030;

    /// <summary>Until it has been measured to be faster on a card, it is used only where NANOFOLD_EARLY_LAUNCH is 1.</summary>
    public static bool IsAskedFor { get; } = Environment.GetEnvironmentVariable("NANOFOLD_EARLY_LAUNCH") == "1";

    /// <summary>Whether it is asked for, and device and driver can.</summary>
    public static bool IsUsedBy(CudaAccelerator accelerator)
    {
        CudaDriver.Check(CudaDriver.DriverGetVersion(out int driver), "asking for the driver's version");
        return IsAskedFor && accelerator.Device is CudaDevice { Architecture: { } architecture } && Can((10 * architecture.Major) + architecture.Minor, driver);
    }

    public static bool Can(int architecture, int driver) => architecture >= Architecture && driver >= Driver;
}
