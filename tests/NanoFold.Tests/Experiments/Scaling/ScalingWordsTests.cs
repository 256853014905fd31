using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Reports;
using NanoFold.Reports.Items;

namespace NanoFold.Tests.Experiments.Scaling;

/// <summary>What a fit does not tell is said.</summary>
public class ScalingWordsTests
{
    private static readonly double[] s_sizes = ScalingFitTests.Steps(1e4, 4e5, 3), s_tokens = ScalingFitTests.Steps(2e5, 4e6, 3);

    [Test]
    public void AGoodFitHasNoDoubts()
    {
        string[] words = Words(ScalingFitTests.Grid(new ScalingLaw(1.2, 12, 0.30, 90, 0.38), s_sizes, s_tokens));
        Assert.That(words, Has.Length.EqualTo(3));
        Assert.That(words[1], Does.Contain("N grows with C^0.56 [0.56, 0.56] and D with C^0.44 [0.44, 0.44]"));
        Assert.That(words[2], Does.Contain("A law fitted without the largest run (400 k parameters, 4.00 M tokens) says"));
    }

    [Test]
    public void ASizeThatMakesNoDifferenceIsSaid()
    {
        string words = string.Join('\n', Words(ScalingFitTests.Grid(new ScalingLaw(1.2, 1e-9, 0.30, 90, 0.38), s_sizes, s_tokens, noise: 0.003)));
        Assert.That(words, Does.Contain("The size makes no difference that these runs show").Or.Contain("α = "));
        Assert.That(words, Does.Contain("do not tell how FLOPs are best divided"));
    }

    [Test]
    public void RunsThatFollowNoLawAreSaid()
    {
        var random = new Random(1);
        ScalingPoint[] points = [.. from n in s_sizes from d in s_tokens select new ScalingPoint(n, d, 1 + random.NextDouble())];
        Assert.That(Words(points)[1], Does.StartWith("The law does not fit these runs"));
    }

    [Test]
    public void ALossWithoutAFloorIsSaid() =>
        Assert.That(Words(ScalingFitTests.Grid(new ScalingLaw(1e-6, 40, 0.20, 90, 0.30), s_sizes, s_tokens)), Has.Some.StartsWith("E is at 0"));

    /// <summary>Seeds agree with each other, and not with the law: a size goes its own way.</summary>
    [Test]
    public void MoreThanSeedsDifferIsSaid()
    {
        ScalingPoint[] points =
        [
            .. ScalingFitTests.Grid(new ScalingLaw(1.2, 12, 0.30, 90, 0.38), s_sizes, s_tokens)
                .Select((p, i) => p with { Loss = p.Loss * (1 + 0.02 * ((i * 7 % 3) - 1)) })
                .SelectMany(p => new[] { p, p with { Loss = p.Loss * 1.0005 } }),
        ];
        Assert.That(Words(points), Has.Some.StartsWith("The law is off by more than seeds differ"));
    }

    [Test]
    public void LargeCoefficientsAreWrittenInPowersOfTen()
    {
        ScalingResult result = Collect(ScalingFitTests.Grid(new ScalingLaw(1.2, 12, 0.30, 5e6, 0.95), s_sizes, s_tokens));
        Assert.That(result.Fit!.Law.B, Is.EqualTo(5e6).Within(5e4));
        Assert.That(result.Summary[0], Does.Match(@"^L = 1\.2 \+ 1[12](\.\d+)? / N\^0\.300 \+ (5|4\.9\d*|5\.0\d*)e\+6 / D\^0\.950, "));
        using var folder = new TemporaryFolder();
        ReportTable law = Report.Of(folder.Path, result, "report").Sections.Single(section => section.Title == "The law").Items.OfType<ReportTable>().Single();
        IReadOnlyList<Cell> row = law.Rows.Single(row => row[0].Text == "B");
        Assert.That((row[1].Text, row[1].Value), Is.EqualTo((ScalingLaw.Text(result.Fit.Law.B), result.Fit.Law.B)));
        Assert.That(row[2].Text, Does.Match(@"^\[\d(\.\d+)?e\+6, \d(\.\d+)?e\+6\]$"), "its interval");
        Assert.That((ScalingLaw.Text(9999.4), ScalingLaw.Text(-1.25e6), ScalingLaw.Text(0.34, "0.000")), Is.EqualTo(("9,999.4", "-1.25e+6", "0.340")));
    }

    private static string[] Words(ScalingPoint[] points) => [.. Collect(points).Summary];

    private static ScalingResult Collect(ScalingPoint[] points)
    {
        ScalingRun[] runs = [.. points.Select((p, i) => new ScalingRun($"runs/{i}", "", 1, (long)p.Parameters, (long)p.Tokens, 1, p.Loss, null, null, null, 1))];
        return ScalingCollector.Of(runs, draws: 40);
    }
}
