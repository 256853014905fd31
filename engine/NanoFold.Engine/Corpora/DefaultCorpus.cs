using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// The corpus that every .NET developer has: the reference documentation (XML) in the installed SDK's <c>packs</c>
/// folder, as plain prose (<see cref="XmlProse"/>), a document per type. About 11 MB; which text exactly depends on
/// the SDK, so its hash goes where results go.
/// </summary>
public static class DefaultCorpus
{
    /// <summary>What messages call it.</summary>
    public const string Name = ".NET reference documentation";

    // Part of what a cached text is known by: prose written otherwise needs another number.
    private const string Reader = "dotnet xml 1";

    /// <summary>The corpus, or null where no SDK with reference documentation is found; nothing is read yet.</summary>
    public static Corpus? Open() => Open(Roots());

    /// <summary>The corpus of the first of these .NET folders that has one.</summary>
    internal static Corpus? Open(IEnumerable<string> roots)
    {
        foreach (string root in roots)
        {
            SourceFile[] files = Files(root);
            if (files.Length > 0)
            {
                return new Corpus(Name, Reader, new FoundFiles(files, []), _ => new CorpusText(Read(files), []));
            }
        }

        return null;
    }

    // Folders in which `packs` may lie: told by the environment, that of the running .NET, and the usual ones.
    private static IEnumerable<string> Roots()
    {
        var roots = new List<string?>
        {
            Environment.GetEnvironmentVariable("DOTNET_ROOT"),
            Path.GetDirectoryName(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH")),

            // …/shared/Microsoft.NETCore.App/10.0.0/
            Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")),
            Path.GetDirectoryName(Environment.ProcessPath),
            "/usr/share/dotnet",
            "/usr/lib/dotnet",
            "/usr/lib64/dotnet",
            "/usr/local/share/dotnet",
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dotnet"),
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "dotnet"),
        };
        return roots.Where(root => !string.IsNullOrEmpty(root) && Directory.Exists(root)).Distinct()!;
    }

    // packs/PACK.Ref/VERSION/ref/FRAMEWORK/*.xml of each pack's newest version; a file that is in several packs once.
    private static SourceFile[] Files(string root)
    {
        string packs = Path.Combine(root, "packs");
        if (!Directory.Exists(packs))
        {
            return [];
        }

        try
        {
            return
            [
                .. Directory.GetDirectories(packs, "*.Ref")
                    .OrderBy(pack => pack.EndsWith("Microsoft.NETCore.App.Ref", StringComparison.Ordinal) ? 0 : 1)
                    .ThenBy(pack => pack, StringComparer.Ordinal)
                    .SelectMany(pack => Directory.GetDirectories(pack).OrderBy(VersionOf).ThenBy(folder => folder, StringComparer.Ordinal).TakeLast(1))
                    .Select(version => Path.Combine(version, "ref"))
                    .Where(Directory.Exists)
                    .SelectMany(folder => Directory.GetFiles(folder, "*.xml", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                    .DistinctBy(Path.GetFileName)
                    .Select(path => SourceFile.Of(path, Path.GetFileName(path))),
            ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static Version VersionOf(string folder)
    {
        string name = Path.GetFileName(folder);
        int preview = name.IndexOf('-', StringComparison.Ordinal);
        return Version.TryParse(preview < 0 ? name : name[..preview], out Version? version) ? version : new Version();
    }

    // Types in an order that has nothing to do with their names, so that the last tenth is a sample of all subjects.
    private static IReadOnlyList<Document> Read(IReadOnlyList<SourceFile> files)
    {
        var prose = new XmlProse();
        foreach (SourceFile file in files)
        {
            prose.Add(file.Path);
        }

        return
        [
            .. prose.Types
                .OrderBy(type => Scatter(type.Name)).ThenBy(type => type.Name, StringComparer.Ordinal)
                .Select(type => new Document(type.Name, type.Text)),
        ];
    }

    // FNV-1a, finished so that its high bits depend on every character.
    private static ulong Scatter(string name)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in Encoding.UTF8.GetBytes(name))
        {
            hash = (hash ^ value) * 0x100000001B3;
        }

        return (hash ^ (hash >> 32)) * 0x9E3779B97F4A7C15;
    }
}
