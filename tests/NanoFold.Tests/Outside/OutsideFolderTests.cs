using System.Text.RegularExpressions;
using System.Xml.Linq;
using NanoFold.Tests.Outside;

// Not in the namespace of its folder: it is to be the first of all, for what it begins works beside the others.
namespace NanoFold.Tests;

/// <summary>The folder of the program outside; building it begins here, and <see cref="OutsideTests"/> see what came of it.</summary>
[Order(0)]
public partial class OutsideFolderTests
{
    private static string Folder => RepositoryRoot.File("tests/NanoFold.Outside");

    [OneTimeSetUp]
    public void Begin() => OutsideProject.Start();

    [Test]
    public void ItsPageNamesEveryFile()
    {
        string page = File.ReadAllText(Path.Combine(Folder, "README.md"));
        string[] named = [.. Code().Matches(page).Select(match => match.Groups[1].Value).Where(name => Path.GetExtension(name) is ".cs" or ".json").Distinct()];
        Assert.That(named, Is.EquivalentTo(Directory.GetFiles(Folder).Select(Path.GetFileName).Where(name => Path.GetExtension(name) is ".cs" or ".json")));
    }

    [Test]
    public void ThePageOfAdditionsShowsItsProgram()
        => Assert.That(Text(RepositoryRoot.File("docs/adding.md")), Does.Contain($"```csharp\n{Text(Path.Combine(Folder, "Program.cs"))}```"));

    [Test]
    public void ItKnowsNothingButPackages()
    {
        XDocument project = XDocument.Load(Directory.GetFiles(Folder, "*.csproj").Single());
        Assert.That(project.Descendants("ProjectReference").Concat(project.Descendants("Compile")), Is.Empty);
        Assert.That(File.ReadAllText(RepositoryRoot.File("NanoFold.sln")), Does.Not.Contain("NanoFold.Outside"));
    }

    private static string Text(string path) => File.ReadAllText(path).ReplaceLineEndings("\n");

    [GeneratedRegex(@"`([\w.]+)`")]
    private static partial Regex Code();
}
