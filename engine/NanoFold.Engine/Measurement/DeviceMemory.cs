using NanoFold.Kernels;

namespace NanoFold.Engine.Measurement;

/// <summary>The memory of what a backend computes on.</summary>
internal static class DeviceMemory
{
    /// <summary>Bytes that a backend may take: what is free of a device's own memory, or the machine's.</summary>
    public static long Available(Backend backend) => backend.FreeBytes ?? OfHost;

    /// <summary>Bytes of the machine's own.</summary>
    public static long OfHost => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
