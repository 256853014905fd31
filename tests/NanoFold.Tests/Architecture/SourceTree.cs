using System.Text.RegularExpressions;

namespace NanoFold.Tests.Architecture;

/// <summary>The C# files of a project, by the first folder in which they lie.</summary>
internal sealed partial class SourceTree
{
    /// <summary>The name of files that lie in no folder.</summary>
    public const string Root = "";

    private readonly string _namespace;
    private readonly Dictionary<string, HashSet<string>> _types = [];
    private readonly List<(string Path, string Folder, string Code)> _files = [];

    /// <param name="path">The project's folder.</param>
    /// <param name="rootNamespace">The namespace of its root; folders are named like the namespaces below it.</param>
    public SourceTree(string path, string rootNamespace)
    {
        _namespace = rootNamespace;
        foreach (string file in Files(path))
        {
            string relative = Path.GetRelativePath(path, file).Replace('\\', '/');
            string folder = relative.Contains('/') ? relative[..relative.IndexOf('/')] : Root;
            string code = Text().Replace(File.ReadAllText(file), "");
            _files.Add((relative, folder, code));
            _types.TryAdd(folder, []);
            _types[folder].UnionWith(Declaration().Matches(code).Select(match => match.Groups[1].Value));
        }
    }

    public IEnumerable<string> Folders => _types.Keys.Order();

    /// <summary>All references from one folder to another: by a using, or by a name that begins with the folder's.</summary>
    public IEnumerable<Reference> References =>
        from file in _files
        from target in _types.Keys
        where target != Root && target != file.Folder && Uses(file.Code, target)
        select new Reference(file.Path, file.Folder, target);

    /// <summary>The C# files under a folder that are not made by the build.</summary>
    public static IEnumerable<string> Files(string path) => Directory.EnumerateFiles(path, "*.cs", SearchOption.AllDirectories)
        .Where(file => !Made().IsMatch(Path.GetRelativePath(path, file)));

    private bool Uses(string code, string folder)
    {
        string full = Regex.Escape($"{_namespace}.{folder}");
        return Regex.IsMatch(code, $@"\b{full}\b") || Regex.Matches(code, $@"(?<![\w.]){folder}\.([A-Z]\w*)").Any(match => _types[folder].Contains(match.Groups[1].Value));
    }

    [GeneratedRegex(@"(^|[\\/])(obj|bin)[\\/]")]
    private static partial Regex Made();

    // Texts and comments, but for what their references name.
    [GeneratedRegex("""@?"(\\.|""|[^"\\\n])*"|(?<!/)//(?!/)[^\n]*|(?<=///[^\n]*>)[^<\n]+(?=<|\n)""")]
    private static partial Regex Text();

    [GeneratedRegex(@"^(?:(?:public|internal|file|sealed|static|abstract|readonly|ref|partial|unsafe) )*(?:class|struct|interface|enum|record struct|record|delegate [\w<>?]+) (\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    /// <param name="File">Where it stands.</param>
    /// <param name="From">The folder of that file.</param>
    /// <param name="To">The folder that it names.</param>
    public sealed record Reference(string File, string From, string To)
    {
        public override string ToString() => $"{File} refers to {To}";
    }
}
