using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Engine.Measurement;

/// <summary>The memory of what a backend computes on.</summary>
public static class DeviceMemory
{
    /// <summary>Bytes that a backend may take: what is free of a device's own memory, or the machine's.</summary>
    public static long Available(Backend backend) => backend.FreeBytes ?? OfHost;

    /// <summary>Bytes of the machine's own.</summary>
    public static long OfHost => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Throws where something takes more; asked before it is allocated.</summary>
    /// <param name="bytes">What it takes.</param>
    /// <param name="what">Names it.</param>
    /// <param name="remedy">What takes less.</param>
    /// <param name="backend">Where it is to be; nothing is refused where nothing is held.</param>
    /// <exception cref="UserException">There is not as much.</exception>
    public static void Require(Int128 bytes, string what, string remedy, Backend backend)
    {
        if (backend is CpuBackend)
        {
            RequireOfHost(bytes, what, remedy);
        }
        else if (backend.HoldsValues)
        {
            Require(bytes, what, remedy, $"{backend.Name} has", Available(backend), " free");
        }
    }

    /// <summary>The same of the machine's own.</summary>
    public static void RequireOfHost(Int128 bytes, string what, string remedy) => Require(bytes, what, remedy, "this machine has", OfHost, "");

    private static void Require(Int128 bytes, string what, string remedy, string where, long available, string free)
    {
        if (available > 0 && bytes > available)
        {
            throw new UserException(FormattableString.Invariant(
                $"{what}: {(double)bytes / 1e9:0.0} GB are needed and {where} {available / 1e9:0.0} GB{free}; {remedy} takes less"));
        }
    }
}
