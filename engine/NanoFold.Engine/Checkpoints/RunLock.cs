using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Checkpoints;

/// <summary>
/// Held while a folder is being written (a run while it trains, the token cache while it is built), so that two processes
/// never write the same one. The operating system drops it when the process ends, however it ends; the file stays.
/// </summary>
public sealed class RunLock : IDisposable
{
    /// <summary>The file in the locked folder; it holds the process's number.</summary>
    public const string FileName = "run.lock";

    private readonly string _path;
    private readonly FileStream _file;
    private readonly bool _timesTell;

    private RunLock(string path, FileStream file)
    {
        _path = path;
        _file = file;
        // Some file systems of networks give other times by name than by handle.
        _timesTell = HasTimesOf(path);
    }

    /// <summary>Whether the locked file is still where it was: false where its folder was moved, deleted, or another one is in its place.</summary>
    public bool IsInPlace => IsAt(_path);

    /// <summary>Where the locked folder is now, as far as the system can say (Linux); null where it is deleted.</summary>
    public string? Find()
    {
        string? file = OperatingSystem.IsLinux() ? new FileInfo($"/proc/self/fd/{_file.SafeFileHandle.DangerousGetHandle()}").LinkTarget : null;
        return file is not null && IsAt(file) ? Path.GetDirectoryName(file) : null;
    }

    /// <summary>Locks a folder, which is created where it does not exist.</summary>
    /// <exception cref="FolderInUseException">Another process, or this one, has it locked.</exception>
    /// <exception cref="UserException">It cannot be written.</exception>
    public static RunLock Acquire(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            Directory.CreateDirectory(folder);
            PlainFile.RequireNoLink(path);
            // Elsewhere than on Windows, FileShare.None is an advisory lock (flock) that .NET takes and asks for.
            var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            try
            {
                file.SetLength(0);
                file.Write(Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n"));
            }
            catch
            {
                file.Dispose();
                throw;
            }

            return new RunLock(path, file);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw IsHeld(exception)
                ? new FolderInUseException(folder, exception)
                : FileFault.Describe("cannot lock", folder, exception);
        }
    }

    public void Dispose() => _file.Dispose();

    private bool IsAt(string path) => File.Exists(path) && (!_timesTell || HasTimesOf(path));

    // .NET has no number of a file to compare; no two files were made at the same time and under the same name.
    private bool HasTimesOf(string path)
        => File.GetCreationTimeUtc(path) == File.GetCreationTimeUtc(_file.SafeFileHandle)
            && File.GetLastWriteTimeUtc(path) == File.GetLastWriteTimeUtc(_file.SafeFileHandle);

    // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION; EWOULDBLOCK on Linux and macOS.
    private static bool IsHeld(Exception exception) => exception.GetType() == typeof(IOException)
        && (OperatingSystem.IsWindows() ? (exception.HResult & 0xFFFF) is 32 or 33 : exception.HResult is 11 or 35);
}

/// <summary>A folder is locked by someone who writes it.</summary>
public sealed class FolderInUseException(string folder, Exception innerException)
    : UserException($"{folder} is being written by another nanofold; wait for it to end or choose another folder (--out)", innerException);
