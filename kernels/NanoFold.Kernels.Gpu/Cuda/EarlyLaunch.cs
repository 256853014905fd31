using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>
/// Launches kernels that may be started while the one before them still runs (CUDA's programmatic dependent launch): what they do before they touch memory, and the launch
/// itself, then takes no time of its own. A captured graph keeps it.
/// </summary>
internal static unsafe class EarlyLaunch
{
    // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
    private const int StreamSerialization = 6;

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

    /// <summary>Launches a kernel that waits for what was launched before it on the stream.</summary>
    public static void Launch(nint function, int gridX, int gridY, int gridZ, int threads, int sharedBytes, nint stream, void** parameters)
    {
        var attribute = new LaunchAttribute { Id = StreamSerialization, Value = 1 };
        var config = new LaunchConfig
        {
            GridX = (uint)gridX, GridY = (uint)gridY, GridZ = (uint)gridZ, BlockX = (uint)threads, BlockY = 1, BlockZ = 1, SharedBytes = (uint)sharedBytes, Stream = stream,
            Attributes = &attribute, AttributeCount = 1,
        };
        CudaDriver.Check(CudaDriver.LaunchKernel(&config, function, parameters, null), "the early launch of a kernel");
    }
}

/// <summary>CUDA's CUlaunchConfig.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;

    public nint Stream;

    public LaunchAttribute* Attributes;

    public uint AttributeCount;
}

/// <summary>CUDA's CUlaunchAttribute, of which an integer is used here.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    [FieldOffset(0)]
    public int Id;

    [FieldOffset(8)]
    public int Value;
}
