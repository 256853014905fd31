using NanoFold.Kernels.Memory;

namespace NanoFold.Engine;

/// <summary>
/// Writes a file that a user named. A plain file is complete or as it was before: the text is written beside it, flushed, and renamed. A symbolic link
/// stays, and what it points to is replaced. What is no plain file (<c>/dev/null</c>, <c>/dev/stdout</c>, a named pipe) is written into and never replaced.
/// </summary>
public static class OutputFile
{
    /// <summary>Throws where <see cref="Write"/> would fail; for what takes long before it has something to write.</summary>
    /// <param name="path">What the user named.</param>
    /// <param name="option">The option, to name it in the message.</param>
    /// <exception cref="UserException">It is a folder, or cannot be created.</exception>
    public static void Require(string path, string option)
    {
        if (Directory.Exists(path))
        {
            throw new UserException($"{option} {path}: is a folder; name a file");
        }

        if (IsWrittenInto(path))
        {
            return;
        }

        try
        {
            string target = Target(path), folder = Path.GetDirectoryName(target)!;
            if (!Directory.Exists(folder))
            {
                throw new UserException($"{option} {path}: there is no folder {folder}");
            }

            RequireWritable(target);
            string beside = Beside(target);
            new FileStream(beside, FileMode.CreateNew, FileAccess.Write).Dispose();
            File.Delete(beside);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe($"{option}: cannot write", path, e);
        }
    }

    /// <summary>Writes it.</summary>
    /// <param name="path">What the user named.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="UserException">It cannot be written; a plain file is then as it was.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        try
        {
            if (IsWrittenInto(path))
            {
                WriteInto(path, write);
            }
            else
            {
                Replace(Target(path), write);
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", path, e);
        }
    }

    private static bool IsWrittenInto(string path) => FileKind.IsSpecial(path) || IsOpenAlready(Path.GetFullPath(path));

    // A name of a file that this process has open; a rename would cut its other writers off.
    private static bool IsOpenAlready(string full) =>
        StandardStream(full) is not null || full.StartsWith("/dev/fd/", StringComparison.Ordinal) || (full.StartsWith("/proc/", StringComparison.Ordinal) && full.Contains("/fd/", StringComparison.Ordinal));

    // What this process prints has one place in its file, which is shared.
    private static Func<Stream>? StandardStream(string full) => full switch
    {
        "/dev/stdout" or "/dev/fd/1" or "/proc/self/fd/1" => Console.OpenStandardOutput,
        "/dev/stderr" or "/dev/fd/2" or "/proc/self/fd/2" => Console.OpenStandardError,
        _ => null,
    };

    private static void WriteInto(string path, Action<Stream> write)
    {
        using Stream stream = StandardStream(Path.GetFullPath(path))?.Invoke()
            ?? new FileStream(path, FileMode.Truncate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        write(stream);
        stream.Flush();
    }

    private static void Replace(string target, Action<Stream> write)
    {
        RequireWritable(target);
        Replace(target, Beside(target), write);
    }

    /// <summary>Replaces a file, or makes it: the text is written beside it, flushed, and renamed, so that the file is complete or as it was. One that is there keeps its mode.</summary>
    /// <param name="target">No link; one would be replaced.</param>
    /// <param name="beside">Where it is written first; what was left there, a link too, is deleted.</param>
    /// <param name="write">Writes the content.</param>
    internal static void Replace(string target, string beside, Action<Stream> write)
    {
        try
        {
            File.Delete(beside);
            using (var stream = new FileStream(beside, FileMode.CreateNew, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            if (!OperatingSystem.IsWindows() && File.Exists(target))
            {
                File.SetUnixFileMode(beside, File.GetUnixFileMode(target));
            }

            File.Move(beside, target, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    // A file that may not be written is not replaced either, though its folder would allow that.
    private static void RequireWritable(string target)
    {
        if (File.Exists(target))
        {
            new FileStream(target, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete).Dispose();
        }
    }

    private static string Beside(string target) => $"{target}.tmp-{Guid.NewGuid():N}";

    // Where links end, which need not exist.
    private static string Target(string path)
    {
        var file = new FileInfo(path);
        return file.LinkTarget is null ? file.FullName : file.ResolveLinkTarget(returnFinalTarget: true)!.FullName;
    }
}
