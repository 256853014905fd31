using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NanoFold.Kernels.Memory;

/// <summary>Private pages of a file that Linux does not count as memory which may be needed (<c>MAP_NORESERVE</c>): pages that nobody writes to take none.</summary>
internal sealed unsafe partial class UncountedPages : IDisposable
{
    private const int Read = 1, Write = 2, Private = 2, NoReserve = 0x4000;

    private readonly nuint _bytes;

    private UncountedPages(byte* pointer, nuint bytes)
    {
        Pointer = pointer;
        _bytes = bytes;
    }

    public byte* Pointer { get; }

    /// <summary>All of a file, or null where the system does not do it this way.</summary>
    public static UncountedPages? Map(SafeFileHandle file, long bytes)
    {
        try
        {
            void* pointer = Mmap(null, (nuint)bytes, Read | Write, Private | NoReserve, file, 0);
            return (nint)pointer == -1 ? null : new UncountedPages((byte*)pointer, (nuint)bytes);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // A C library of another name.
            return null;
        }
    }

    public void Dispose() => _ = Munmap(Pointer, _bytes);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Mmap(void* address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(void* address, nuint length);
}
