using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>Tiles are a large state, which Linux keeps for a process only after it asked: the first tile instruction would end it otherwise.</summary>
internal static partial class TilePermission
{
    private const long ArchPrctl = 158, RequestState = 0x1023, TileData = 18;
    private const int NotPermitted = 1, InvalidArgument = 22, NoSpace = 28, NoSystemCall = 38;

    /// <summary>Null where the process may use tiles from now on, else why not.</summary>
    public static string? Ask()
    {
        if (!OperatingSystem.IsLinux())
        {
            return "tiles are asked for on Linux only";
        }

        return SystemCall(ArchPrctl, RequestState, TileData) == 0 ? null : Reason(Marshal.GetLastPInvokeError());
    }

    internal static string Reason(int error) => error switch
    {
        NoSpace => "the system refuses tiles, for a thread's stack for signals is too small for them",
        InvalidArgument or NoSystemCall => "the system knows no tiles",
        NotPermitted => "the system does not permit tiles",
        _ => $"the system refuses tiles ({Marshal.GetPInvokeErrorMessage(error)})",
    };

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long SystemCall(long number, long first, long second);
}
