using System.Xml.Linq;

namespace NanoFold.Tests.Architecture;

/// <summary>References go one way: between projects, and between the folders of the engine.</summary>
public class FolderTests
{
    private const int MostFiles = 20;

    /// <summary>
    /// The folders of the engine in the order in which they build on each other: each may refer to those before it. A new folder needs a place here;
    /// docs/architecture.md shows the same order.
    /// </summary>
    private static readonly string[] s_order =
    [
        SourceTree.Root, "Measurement", "Configuration",
        "Tensors", "Autograd", "Ops", "Taps",
        "Modules", "Mixers", "FeedForward", "Residuals", "Model",
        "Text", "Corpora", "Data", "Generation", "Checkpoints", "Interchange",
        "Tasks", "Training", "Geometry", "Runs", "Experiments",
        "Profiling", "Benchmarks",
    ];

    /// <summary>What each project refers to; tests and benchmarks may refer to all of them.</summary>
    private static readonly Dictionary<string, string[]> s_projects = new()
    {
        ["kernels/NanoFold.Kernels"] = [],
        ["kernels/NanoFold.Kernels.Gpu"] = ["NanoFold.Kernels"],
        ["engine/NanoFold.Engine"] = ["NanoFold.Kernels"],
        ["tools/NanoFold.Reports"] = ["NanoFold.Engine"],
        ["tools/NanoFold.Server"] = ["NanoFold.Engine"],
        ["tools/NanoFold.Cli"] = ["NanoFold.Engine", "NanoFold.Reports", "NanoFold.Server", "NanoFold.Kernels.Gpu"],
    };

    private static SourceTree Engine => new(RepositoryRoot.File("engine/NanoFold.Engine"), "NanoFold.Engine");

    [Test]
    public void FoldersOfTheEngineReferToThoseBeforeThem()
    {
        SourceTree engine = Engine;
        Assert.That(engine.Folders, Is.EquivalentTo(s_order), "every folder of the engine has a place in the order");
        string[] wrong = [.. engine.References.Where(r => Array.IndexOf(s_order, r.To) > Array.IndexOf(s_order, r.From)).Select(r => $"{r}, which comes after {r.From}")];
        Assert.That(wrong, Is.Empty);
    }

    [Test]
    public void ReferencesAreFound()
    {
        // A using, a name that begins with a folder, and the reference of a comment.
        SourceTree.Reference[] found = [.. Engine.References];
        Assert.That(found.Select(r => (r.From, r.To)).Distinct().Count(), Is.GreaterThan(60));
        Assert.That(found, Does.Contain(new SourceTree.Reference("Model/Transformer.cs", "Model", "Autograd")));
        Assert.That(found, Does.Contain(new SourceTree.Reference("Runs/TrainSession.cs", "Runs", "Text")));
    }

    [Test]
    public void TheArchitecturePageShowsTheOrder()
        => Assert.That(File.ReadAllText(RepositoryRoot.File("docs/architecture.md")), Does.Contain(string.Join(" → ", s_order.Skip(1))));

    [TestCaseSource(nameof(Projects))]
    public void ProjectsReferOneWay(string project)
    {
        string file = Directory.GetFiles(RepositoryRoot.File(project), "*.csproj").Single();
        IEnumerable<string> references = XDocument.Load(file).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));
        Assert.That(references, Is.EquivalentTo(s_projects[project]));
    }

    [TestCase("kernels")]
    [TestCase("engine")]
    [TestCase("tools")]
    [TestCase("tests")]
    [TestCase("bench")]
    public void FoldersAreSmallEnoughToBeReadAsAList(string path)
    {
        IEnumerable<string> large = SourceTree.Files(RepositoryRoot.File(path)).GroupBy(file => Path.GetDirectoryName(file)!)
            .Where(folder => folder.Count() > MostFiles)
            .Select(folder => $"{Path.GetRelativePath(RepositoryRoot.File("."), folder.Key)} has {folder.Count()} files");
        Assert.That(large, Is.Empty);
    }

    private static IEnumerable<string> Projects() => s_projects.Keys;
}
