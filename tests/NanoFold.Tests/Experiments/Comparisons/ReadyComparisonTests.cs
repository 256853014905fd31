using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments.Comparisons;

/// <summary>The comparisons in tools/compare: each is planned in full, with what it holds equal.</summary>
public class ReadyComparisonTests
{
    [TestCaseSource(nameof(Files))]
    public void AReadyComparisonIsPlanned(string name)
    {
        Comparison plan = ComparisonPlan.Of(new ComparisonTree().AddFile(RepositoryRoot.File($"tools/compare/{name}.json")).Build());
        TestContext.Out.WriteLine($"{plan.Variants.Count} variants, {plan.RunCount} runs");
        Assert.Multiple(() =>
        {
            Assert.That(plan.Variants, Has.Count.AtLeast(2));
            Assert.That(plan.Variants.Select(variant => Math.Abs(variant.Residual ?? 0)), Is.All.LessThan(0.02), "what is held equal is");
            Assert.That(new ComparisonRuns(plan).Known(new Dictionary<string, RunResult>()).Select(run => run.Name), Is.Unique.And.Not.Empty);
        });
    }

    private static IEnumerable<string> Files() => Directory.GetFiles(RepositoryRoot.File("tools/compare"), "*.json").Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal);
}
