using System.IO.Enumeration;
using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Corpora;

/// <summary>The files that a path names.</summary>
/// <param name="Files">Those that are there, in order.</param>
/// <param name="Unread">What a folder or pattern names and cannot be read.</param>
/// <param name="IsOne">Whether the path names one file.</param>
internal sealed record FoundFiles(IReadOnlyList<SourceFile> Files, IReadOnlyList<Unread> Unread, bool IsOne = false)
{
    /// <summary>Names of links to files that are among <see cref="Files"/> by another name too.</summary>
    public IReadOnlyList<string> Twice { get; init; } = [];
}

/// <summary>
/// Finds the files that a path names: a file, a pipe, a folder (all below it), or a pattern with <c>*</c>, <c>?</c> and
/// <c>**</c> (any folders). Names that begin with a dot are passed over in folders and patterns. The order is ordinal
/// by relative name, the same on every system.
/// </summary>
internal sealed class FileFinder
{
    private static readonly EnumerationOptions s_all = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    private readonly List<SourceFile> _files = [];
    private readonly List<Unread> _unread = [];
    private readonly List<(string Path, string Name, string Target)> _targets = [];
    private readonly Func<string, bool> _wanted;
    private readonly bool _deep;

    private FileFinder(Func<string, bool> wanted, bool deep)
    {
        _wanted = wanted;
        _deep = deep;
    }

    public static FoundFiles Find(string path)
    {
        if (IsStream(path))
        {
            if (SourceFile.IsStandardInput(path) && !Console.IsInputRedirected)
            {
                throw new UserException($"{path}: standard input is a terminal: pipe a text into it, or name a file");
            }

            return new FoundFiles([SourceFile.Stream(path)], [], IsOne: true);
        }

        if (File.Exists(path))
        {
            return new FoundFiles([One(path)], [], IsOne: true);
        }

        if (Directory.Exists(path))
        {
            return Below(path, _ => true, deep: true);
        }

        int wildcard = path.AsSpan().IndexOfAny('*', '?');
        if (wildcard < 0)
        {
            return new FoundFiles([], []);
        }

        // The part before the first segment with a wildcard is the folder to look in.
        int cut = path.AsSpan(0, wildcard).LastIndexOfAny('/', '\\') + 1;
        string folder = cut == 0 ? "." : path[..cut];
        string[] pattern = path[cut..].Split(['/', '\\'], StringSplitOptions.RemoveEmptyEntries);
        return Directory.Exists(folder) ? Below(folder, name => Matches(name.Split('/'), pattern), deep: pattern.Length > 1 || pattern[0] == "**") : new FoundFiles([], []);
    }

    /// <summary>Whether a path names what can be read only once.</summary>
    public static bool IsStream(string path) => SourceFile.IsStandardInput(path) || (SourceFile.IsDescriptor(path) && Path.Exists(path)) || FileKind.IsSpecial(path);

    private static SourceFile One(string path)
    {
        try
        {
            SourceFile file = SourceFile.Of(path, Path.GetFileName(path));

            // What the system makes when it is read, as below /proc, has no size before.
            return file.Bytes == 0 && HasBytes(file) ? SourceFile.Stream(path) : file;
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw new UserException($"{path}: {Reason(new FileInfo(path), e)}", e);
        }
    }

    private static bool HasBytes(SourceFile file)
    {
        using Stream stream = file.Open();
        return stream.ReadByte() >= 0;
    }

    private static FoundFiles Below(string folder, Func<string, bool> wanted, bool deep)
    {
        var finder = new FileFinder(wanted, deep);
        finder.Walk(folder, "");
        SourceFile[] files = [.. finder._files.OrderBy(file => file.Name, StringComparer.Ordinal)];
        var paths = files.Select(file => file.Path).Except(finder._targets.Select(link => link.Path)).ToHashSet();
        return new FoundFiles(files, [.. finder._unread.OrderBy(file => file.Name, StringComparer.Ordinal)])
        {
            Twice = [.. finder._targets.OrderBy(link => link.Name, StringComparer.Ordinal).Where(link => !paths.Add(link.Target)).Select(link => link.Name)],
        };
    }

    private void Walk(string folder, string prefix)
    {
        try
        {
            foreach (FileSystemInfo entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", s_all).Where(entry => entry.Name[0] != '.'))
            {
                string name = prefix + entry.Name;
                if (entry is FileInfo)
                {
                    Add(entry, name);
                }
                else if (_deep && entry.LinkTarget is not null)
                {
                    // Not followed, so a loop cannot occur.
                    _unread.Add(new Unread(name, "is a link to a folder"));
                }
                else if (_deep)
                {
                    Walk(entry.FullName, name + "/");
                }
            }
        }
        catch (Exception e) when (prefix.Length > 0 && FileFault.Is(e))
        {
            _unread.Add(new Unread(prefix, $"cannot be read: {e.Message.TrimEnd('.')}"));
        }
    }

    private void Add(FileSystemInfo entry, string name)
    {
        if (!_wanted(name))
        {
            return;
        }

        try
        {
            // Opening a pipe would wait for who writes into it.
            if (FileKind.IsSpecial(entry.FullName))
            {
                _unread.Add(new Unread(name, "is a pipe, socket or device"));
                return;
            }

            _files.Add(SourceFile.Of(entry.FullName, name));
            if (entry.ResolveLinkTarget(returnFinalTarget: true) is { } target)
            {
                _targets.Add((entry.FullName, name, target.FullName));
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            _unread.Add(new Unread(name, Reason(entry, e)));
        }
    }

    private static string Reason(FileSystemInfo entry, Exception fault) => fault switch
    {
        FileNotFoundException or DirectoryNotFoundException when entry.LinkTarget is { } target => $"is a link to {target}, which is not there",
        FileNotFoundException when entry.Name.Contains('\uFFFD') => "has a name that is not UTF-8",
        _ => $"cannot be read: {fault.Message.TrimEnd('.')}",
    };

    private static bool Matches(ReadOnlySpan<string> names, ReadOnlySpan<string> pattern)
    {
        if (pattern.IsEmpty)
        {
            return names.IsEmpty;
        }

        if (pattern[0] == "**")
        {
            return Matches(names, pattern[1..]) || (!names.IsEmpty && Matches(names[1..], pattern));
        }

        return !names.IsEmpty
            && FileSystemName.MatchesSimpleExpression(pattern[0], names[0], ignoreCase: false)
            && Matches(names[1..], pattern[1..]);
    }
}
