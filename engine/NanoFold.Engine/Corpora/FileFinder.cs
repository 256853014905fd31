using System.IO.Enumeration;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Finds the files that a path names: a file, a folder (all below it), or a pattern with <c>*</c>, <c>?</c> and
/// <c>**</c> (any folders). Names that begin with a dot are passed over in folders and patterns. The order is ordinal
/// by relative name, the same on every system.
/// </summary>
internal static class FileFinder
{
    public static IReadOnlyList<SourceFile> Find(string path)
    {
        if (File.Exists(path))
        {
            return [SourceFile.Of(path, Path.GetFileName(path))];
        }

        if (Directory.Exists(path))
        {
            return Below(path, _ => true);
        }

        int wildcard = path.AsSpan().IndexOfAny('*', '?');
        if (wildcard < 0)
        {
            return [];
        }

        // The part before the first segment with a wildcard is the folder to look in.
        int cut = path.AsSpan(0, wildcard).LastIndexOfAny('/', '\\') + 1;
        string folder = cut == 0 ? "." : path[..cut];
        string[] pattern = path[cut..].Split(['/', '\\'], StringSplitOptions.RemoveEmptyEntries);
        return Directory.Exists(folder) ? Below(folder, name => Matches(name.Split('/'), pattern)) : [];
    }

    private static List<SourceFile> Below(string folder, Func<string, bool> wanted)
    {
        // Links are not followed into folders, so a loop cannot occur; a linked file counts as a file.
        var found = new FileSystemEnumerable<string>(
            folder,
            (ref FileSystemEntry entry) => entry.ToFullPath(),
            new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = 0 })
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && entry.FileName[0] != '.',
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                entry.FileName[0] != '.' && (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        return
        [
            .. found
                .Select(file => (Path: file, Name: Path.GetRelativePath(folder, file).Replace('\\', '/')))
                .Where(file => wanted(file.Name))
                .OrderBy(file => file.Name, StringComparer.Ordinal)
                .Select(file => SourceFile.Of(file.Path, file.Name)),
        ];
    }

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
