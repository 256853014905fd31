using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace NanoFold.Cli;

/// <summary>The processor's name.</summary>
internal static class Processor
{
    private const string LinuxInfo = "/proc/cpuinfo";

    public static string Name() => FromCpuId() ?? FromLinux() ?? $"{RuntimeInformation.ProcessArchitecture} processor";

    // The brand string: 48 bytes in three leaves of four registers.
    private static string? FromCpuId()
    {
        if (!X86Base.IsSupported || (uint)X86Base.CpuId(unchecked((int)0x80000000), 0).Eax < 0x80000004)
        {
            return null;
        }

        var registers = new int[12];
        for (int leaf = 0; leaf < 3; leaf++)
        {
            (registers[4 * leaf], registers[(4 * leaf) + 1], registers[(4 * leaf) + 2], registers[(4 * leaf) + 3]) =
                X86Base.CpuId(unchecked((int)0x80000002) + leaf, 0);
        }

        string brand = Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>(registers)).Trim('\0', ' ');
        return brand.Length > 0 ? brand : null;
    }

    private static string? FromLinux()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists(LinuxInfo))
        {
            return null;
        }

        string? line = File.ReadLines(LinuxInfo).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal) || l.StartsWith("Model", StringComparison.Ordinal));
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() is { Length: > 0 } name ? name : null;
    }
}
