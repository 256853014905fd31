using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Memory;

/// <summary>Makes a change of a folder's entries (a file created or renamed in it) last through a loss of power.</summary>
public static partial class FileSystemSync
{
    // Errors of fsync that say "not for this kind of file": EINVAL everywhere, ENOTSUP on macOS and Linux.
    private const int InvalidArgument = 22;
    private static readonly int s_notSupported = OperatingSystem.IsMacOS() ? 45 : 95;

    /// <summary>
    /// Flushes a folder's entries to the disk. .NET opens no folder as a file, so this calls POSIX fsync itself; on Windows,
    /// where a folder cannot be flushed without special rights, it does nothing (NTFS journals renames). File systems that do
    /// not know the call are passed over.
    /// </summary>
    /// <exception cref="IOException">The folder cannot be opened, or the disk reports an error.</exception>
    public static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        const int ReadOnly = 0;
        int descriptor = Open(path, ReadOnly);
        if (descriptor < 0)
        {
            throw Failed(path, Marshal.GetLastPInvokeError());
        }

        try
        {
            if (FSync(descriptor) != 0)
            {
                int error = Marshal.GetLastPInvokeError();
                if (error != InvalidArgument && error != s_notSupported)
                {
                    throw Failed(path, error);
                }
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException Failed(string path, int error)
        => new($"cannot flush folder {path}: {Marshal.GetPInvokeErrorMessage(error)}", error);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
