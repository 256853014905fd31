using Microsoft.Win32.SafeHandles;

namespace NanoFold.Engine.Corpora;

/// <summary>A file that a corpus is read from, as the file system describes it; of a link, what it leads to.</summary>
/// <param name="Path">The full path; of a pipe, as it was given.</param>
/// <param name="Name">The path relative to the corpus' folder, with <c>/</c>.</param>
/// <param name="Bytes">Its size; 0 for a pipe.</param>
/// <param name="ModifiedUtc">When it was last written.</param>
public sealed record SourceFile(string Path, string Name, long Bytes, DateTime ModifiedUtc)
{
    /// <summary>What names standard input.</summary>
    public const string StandardInput = "-";

    /// <summary>True for what can be read once, from its begin to its end: a pipe, a device, standard input.</summary>
    public bool IsStream { get; private init; }

    internal static SourceFile Of(string path, string name)
    {
        var info = new FileInfo(path);
        name = name.Replace('\\', '/');
        if ((info.Attributes & FileAttributes.ReparsePoint) == 0)
        {
            return new SourceFile(info.FullName, name, info.Length, info.LastWriteTimeUtc);
        }

        // The size and time of a link are its own: the length of the path that it holds.
        using SafeFileHandle target = File.OpenHandle(info.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return new SourceFile(info.FullName, name, RandomAccess.GetLength(target), File.GetLastWriteTimeUtc(target));
    }

    internal static bool IsStandardInput(string path) => path is StandardInput or "/dev/stdin" or "/dev/fd/0" or "/proc/self/fd/0";

    // What this process has open under a number, which means another file to another process.
    internal static bool IsDescriptor(string path) => path.StartsWith("/dev/fd/", StringComparison.Ordinal) || path.StartsWith("/proc/self/fd/", StringComparison.Ordinal);

    internal static SourceFile Stream(string path) => new(path, path, 0, default) { IsStream = true };

    /// <summary>A stream from its begin.</summary>
    internal Stream Open()
    {
        // Standard input may be a socket, which has no name that can be opened.
        if (IsStream && IsStandardInput(Path))
        {
            return Console.OpenStandardInput();
        }

        return new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
    }
}
