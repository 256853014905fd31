using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Memory;

/// <summary>
/// Asks for pages of 2 MB where the system hands them out on request (Linux's transparent huge pages in the mode <c>madvise</c>): a large arena
/// then needs few entries of the address translation cache. Only a hint: nothing depends on it.
/// </summary>
internal static unsafe partial class HugePages
{
    /// <summary>Size and alignment of a huge page.</summary>
    public const long Bytes = 1 << 21;

    private const int MadviseHugePage = 14;

    /// <summary>Whether a buffer is large enough that little is lost at its end.</summary>
    public static bool Pay(long bytes) => OperatingSystem.IsLinux() && bytes >= Bytes;

    /// <summary>Advises the whole huge pages of a range that begins at one's boundary.</summary>
    public static void Advise(void* start, long bytes)
    {
        try
        {
            // What it answers is of no interest: a system without huge pages goes on with small ones.
            _ = Madvise(start, (nuint)(bytes / Bytes * Bytes), MadviseHugePage);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // A C library of another name: only a hint is lost.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Madvise(void* address, nuint length, int advice);
}
