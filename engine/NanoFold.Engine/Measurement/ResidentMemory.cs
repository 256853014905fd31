using System.Diagnostics;

namespace NanoFold.Engine.Measurement;

/// <summary>Memory of this process as the system sees it.</summary>
public static class ResidentMemory
{
    /// <summary>Most bytes the process ever had resident, or 0 where the system does not say.</summary>
    public static long Peak()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
