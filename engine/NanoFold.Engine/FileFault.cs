using System.Security;

namespace NanoFold.Engine;

/// <summary>Turns what the file system says (disk full, no permission, no such folder) into one line for the user.</summary>
public static class FileFault
{
    // ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL on Windows; elsewhere errno ENOSPC and EDQUOT (Linux, macOS).
    private static readonly int[] s_diskFull = OperatingSystem.IsWindows()
        ? [unchecked((int)0x80070027), unchecked((int)0x80070070)]
        : [28, 122, 69];

    /// <summary>Whether an exception comes from the file system and not from a mistake in the program.</summary>
    public static bool Is(Exception exception)
        => exception is IOException or UnauthorizedAccessException or SecurityException;

    /// <summary>All lines of a file that the user named.</summary>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (Is(e))
        {
            throw Describe("cannot read", path, e);
        }
    }

    /// <summary>The exception for the user; <paramref name="action"/> is what failed, such as "cannot write".</summary>
    public static UserException Describe(string action, string path, Exception cause)
        => new($"{action} {path}: {Explain(cause)}", cause);

    /// <summary>What happened, in words.</summary>
    public static string Explain(Exception cause) => s_diskFull.Contains(cause.HResult) ? "the disk is full" : cause.Message;
}
