using System.Text.RegularExpressions;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Residuals;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Architecture;

/// <summary>The pages of the repository.</summary>
public partial class PageTests
{
    private static readonly string[] s_pages =
    [
        "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md",
        "docs/compare.md", "docs/report.md", "docs/results.md", "docs/tasks.md", "docs/scaling.md",
        "docs/architecture.md", "docs/adding.md", "docs/evaluation.md", "docs/files.md", "docs/finetuning.md", "docs/geometry.md", "docs/measures.md", "docs/models.md", "docs/packages.md", "docs/profiling.md", "docs/programs.md", "docs/settings.md", "docs/taps.md", "tests/NanoFold.Outside/README.md",
    ];

    [TestCaseSource(nameof(s_pages))]
    public void LinksLeadSomewhere(string page)
    {
        string path = RepositoryRoot.File(page);
        string[] broken =
        [
            .. Link().Matches(File.ReadAllText(path)).Select(match => match.Groups[1].Value)
                .Where(link => !Path.Exists(Path.Combine(Path.GetDirectoryName(path)!, link))),
        ];
        Assert.That(broken, Is.Empty);
    }

    [Test]
    public void ReadmeNamesEveryVariant()
    {
        string readme = File.ReadAllText(RepositoryRoot.File("README.md"));
        IEnumerable<Variant> variants = [.. Variant.Of<MixerConfig>(), .. Variant.Of<FeedForwardConfig>(), .. Variant.Of<ResidualConfig>(), .. Variant.Of<TokenizerConfig>()];
        Assert.That(variants.Select(variant => variant.Kind).Where(kind => !readme.Contains($"`{kind}`", StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public void ThePageOfModelsNamesEveryArchitecture()
    {
        string page = File.ReadAllText(RepositoryRoot.File("docs/models.md"));
        Assert.That(PublishedArchitecture.All.Select(architecture => architecture.Name).Where(name => !page.Contains($"`{name}`", StringComparison.Ordinal)), Is.Empty);
    }

    [GeneratedRegex(@"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}
