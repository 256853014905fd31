using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Memory;

/// <summary>Tells plain files from what only has a file's name: devices, pipes, sockets.</summary>
public static unsafe partial class FileKind
{
    // The mode of SystemNative_Stat's result is its second int; 0xF000 masks the kind, of which 0x8000 is a plain file and 0x4000 a folder.
    private const int ResultBytes = 256, ModeIndex = 1, KindMask = 0xF000, Plain = 0x8000, Folder = 0x4000;

    /// <summary>
    /// Whether something that is neither a plain file nor a folder has this name, links followed: <c>/dev/null</c>, a named pipe, <c>NUL</c> on Windows.
    /// False where there is nothing.
    /// </summary>
    public static bool IsSpecial(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return Path.GetFullPath(path).StartsWith(@"\\.\", StringComparison.Ordinal);
        }

        // .NET tells nothing of a file's kind; its own library for Unix has the call with one layout on every system.
        int* result = stackalloc int[ResultBytes / sizeof(int)];
        return Stat(path, result) == 0 && (result[ModeIndex] & KindMask) is not (Plain or Folder);
    }

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_Stat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(string path, int* result);
}
