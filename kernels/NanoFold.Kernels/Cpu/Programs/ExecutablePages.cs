using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>
/// Memory that holds machine code: mapped writable and filled, then made executable and no more writable, and freed with the process. Linux and Windows; a hardened system may refuse.
/// </summary>
internal static unsafe class ExecutablePages
{
    private const int Page = 4096;

    /// <summary>Where the code lies, or null with the reason why it cannot be run.</summary>
    public static void* Hold(ReadOnlySpan<byte> code, out string? reason)
    {
        if (OperatingSystem.IsWindows())
        {
            return Hold<WindowsPages>(code, out reason);
        }

        if (OperatingSystem.IsLinux())
        {
            return Hold<LinuxPages>(code, out reason);
        }

        reason = "programs are placed on Linux and Windows only";
        return null;
    }

    /// <summary>The same on pages of a kind.</summary>
    internal static void* Hold<TPages>(ReadOnlySpan<byte> code, out string? reason)
        where TPages : struct, IPages
    {
        nint bytes = (code.Length + Page - 1) / Page * Page;
        int error;
        try
        {
            void* pages = TPages.Map(bytes);
            error = Marshal.GetLastPInvokeError();
            if (pages is not null)
            {
                code.CopyTo(new Span<byte>(pages, code.Length));
                if (TPages.MakeExecutable(pages, bytes))
                {
                    reason = null;
                    return pages;
                }

                error = Marshal.GetLastPInvokeError();
                TPages.Free(pages, bytes);
            }
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            reason = "the system's calls for executable pages are not found";
            return null;
        }

        reason = $"the system allows no executable pages ({Marshal.GetPInvokeErrorMessage(error)})";
        return null;
    }
}

/// <summary>How a system gives pages of memory; whoever refuses leaves the last error of a platform call.</summary>
internal unsafe interface IPages
{
    /// <summary>Pages that can be written; null where the system refuses.</summary>
    static abstract void* Map(nint bytes);

    /// <summary>Makes them executable and no more writable; false where the system refuses.</summary>
    static abstract bool MakeExecutable(void* pages, nint bytes);

    static abstract void Free(void* pages, nint bytes);
}

/// <summary>mmap and mprotect.</summary>
internal readonly unsafe partial struct LinuxPages : IPages
{
    private const int Read = 1, Write = 2, Execute = 4;
    private const int Private = 2, Anonymous = 0x20;

    public static void* Map(nint bytes)
    {
        void* pages = Map(null, bytes, Read | Write, Private | Anonymous, -1, 0);
        return (nint)pages == -1 ? null : pages;
    }

    public static bool MakeExecutable(void* pages, nint bytes) => Protect(pages, bytes, Read | Execute) == 0;

    public static void Free(void* pages, nint bytes) => _ = Unmap(pages, bytes);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nint bytes);
}

/// <summary>VirtualAlloc and VirtualProtect.</summary>
internal readonly unsafe partial struct WindowsPages : IPages
{
    private const uint Commit = 0x1000, Reserve = 0x2000, ReleaseAll = 0x8000;
    private const uint ReadWrite = 4, ExecuteRead = 0x20;

    public static void* Map(nint bytes) => VirtualAlloc(null, bytes, Commit | Reserve, ReadWrite);

    public static bool MakeExecutable(void* pages, nint bytes) => VirtualProtect(pages, bytes, ExecuteRead, out _);

    public static void Free(void* pages, nint bytes) => VirtualFree(pages, 0, ReleaseAll);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial void* VirtualAlloc(void* address, nint bytes, uint type, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool VirtualProtect(void* address, nint bytes, uint protection, out uint before);

    [LibraryImport("kernel32")]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool VirtualFree(void* address, nint bytes, uint type);
}
