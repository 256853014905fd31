using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>
/// Memory that holds machine code: mapped writable and filled, then made executable and no more writable, and freed with the process. Linux and Windows; a hardened system may refuse.
/// </summary>
internal static unsafe partial class ExecutablePages
{
    private const int Page = 4096;

    // Linux.
    private const int Read = 1, Write = 2, Execute = 4;
    private const int Private = 2, Anonymous = 0x20;

    // Windows.
    private const uint Commit = 0x1000, Reserve = 0x2000, ReleaseAll = 0x8000;
    private const uint ReadWrite = 4, ExecuteRead = 0x20;

    /// <summary>Where the code lies, or null with the reason why it cannot be run.</summary>
    public static void* Hold(ReadOnlySpan<byte> code, out string? reason)
    {
        reason = null;
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsWindows())
        {
            reason = "programs are placed on Linux and Windows only";
            return null;
        }

        nint bytes = (code.Length + Page - 1) / Page * Page;
        void* pages = OperatingSystem.IsWindows() ? OnWindows(code, bytes) : OnLinux(code, bytes);
        if (pages is null)
        {
            reason = $"the system allows no executable pages ({Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})";
        }

        return pages;
    }

    private static void* OnLinux(ReadOnlySpan<byte> code, nint bytes)
    {
        void* pages = Map(null, bytes, Read | Write, Private | Anonymous, -1, 0);
        if ((nint)pages == -1)
        {
            return null;
        }

        code.CopyTo(new Span<byte>(pages, code.Length));
        if (Protect(pages, bytes, Read | Execute) == 0)
        {
            return pages;
        }

        int error = Marshal.GetLastPInvokeError();
        Unmap(pages, bytes);
        Marshal.SetLastPInvokeError(error);
        return null;
    }

    private static void* OnWindows(ReadOnlySpan<byte> code, nint bytes)
    {
        void* pages = VirtualAlloc(null, bytes, Commit | Reserve, ReadWrite);
        if (pages is null)
        {
            return null;
        }

        code.CopyTo(new Span<byte>(pages, code.Length));
        if (VirtualProtect(pages, bytes, ExecuteRead, out _))
        {
            return pages;
        }

        int error = Marshal.GetLastPInvokeError();
        VirtualFree(pages, 0, ReleaseAll);
        Marshal.SetLastPInvokeError(error);
        return null;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(void* address, nint bytes);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial void* VirtualAlloc(void* address, nint bytes, uint type, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool VirtualProtect(void* address, nint bytes, uint protection, out uint before);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool VirtualFree(void* address, nint bytes, uint type);
}
