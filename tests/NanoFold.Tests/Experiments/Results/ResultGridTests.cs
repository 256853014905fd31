using NanoFold.Cli;
using NanoFold.Cli.Commands.Compare;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Results;

namespace NanoFold.Tests.Experiments.Results;

/// <summary>Variants with each of some values: a table of their figures, found by names and settings alone.</summary>
public class ResultGridTests
{
    private const string TwoWidths = """ "equal": "tokens", "grid": { "model.width": [32, 16] }, "variants": { "attention": {}, "gru": { "model.mixer": "gru" } } """;

    [Test]
    public void FiguresStandInRowsOfVariantsAndColumnsOfValues()
    {
        using var folder = new ComparisonFolder($""" "seeds": [1, 2], {TwoWidths} """);
        double[] means = [0.5, 0.25, 0.75, 0.625];
        foreach ((ComparedVariant variant, double mean) in folder.Comparison.Variants.Zip(means))
        {
            foreach (ComparedRun run in folder.Comparison.Final(variant, new RatePoint(null, null)))
            {
                folder.Ended(run, ("validationLoss", 1), ("validationAccuracy", mean + (run.Seed == 1 ? 0.01 : -0.01)));
            }
        }

        ComparisonResult result = ResultCollector.Collect(folder.Path);
        Assert.That(ResultGrid.Of(result)!.Keys, Is.EqualTo(new[] { "model.width" }));
        Assert.That(ResultTable.Grid(result)!.Lines, Is.EqualTo(new[] { new[] { "accuracy by width", "32", "16" }, ["gru", "75.0 % ± 1.4", "62.5 % ± 1.4"], ["attention", "50.0 % ± 1.4", "25.0 % ± 1.4"] }), "the best row first");
        string[][] rows = [.. ResultFiles.GridOf(result, ResultGrid.Of(result)!).TrimEnd().Split('\n').Select(line => line.Split(','))];
        Assert.That(rows.Select(row => row[..3]), Is.EqualTo(new[] { new[] { "variant", "accuracy width=32", "accuracy width=16" }, ["gru", "0.75", "0.625"], ["attention", "0.5", "0.25"] }));
        Assert.That((rows[0][3], double.Parse(rows[1][3], System.Globalization.CultureInfo.InvariantCulture)), Is.EqualTo(("accuracyStandardDeviation width=32", 0.02 / Math.Sqrt(2))).Within(1e-12));
        ResultFiles.Write(folder.Path, result);
        Assert.That(File.ReadAllText(folder[ResultFiles.Grid]), Is.EqualTo(ResultFiles.GridOf(result, ResultGrid.Of(result)!)));
        Assert.That(File.ReadAllText(folder[ResultFiles.Markdown]), Does.Contain("| accuracy by width | 32 | 16 |"));
    }

    [TestCase(""" "grid": { "model.layers": [1, 2], "model.mixer": ["gru", "rnn"] }, "variants": { "a": {}, "b 2": { "model.width": 32 } } """, "model.layers model.mixer", "a|b 2", "1, gru|1, rnn|2, gru|2, rnn")]
    [TestCase(""" "variants": { "a width=16": { "model.layers": 2 }, "a width=32": { "model.width": 32 }, "b width=32": { "model.width": 32, "model.layers": 2 } } """, null, null, null, TestName = "A name whose value the variant does not set is no point")]
    [TestCase(""" "variants": { "a width=8": { "model.width": 8 }, "a width=32": { "model.width": 32 }, "b width=32": { "model.width": 32, "model.layers": 2 } } """, "model.width", "a|b", "8|32", TestName = "Points that variants lack are empty")]
    public void GridsAreTold(string rest, string? keys, string? names, string? points)
    {
        using var folder = new ComparisonFolder($""" "equal": "none", {rest} """);
        ResultGrid? grid = ResultGrid.Of(ResultCollector.Collect(folder.Path));
        Assert.That(grid is null ? null : string.Join(' ', grid.Keys), Is.EqualTo(keys));
        Assert.That(grid is null ? null : string.Join('|', grid.Names), Is.EqualTo(names));
        Assert.That(grid is null ? null : string.Join('|', grid.Points), Is.EqualTo(points));
    }

    [Test]
    public void ATerminalShowsTheFirstOfManyVariantsAndSaysWhereAllOfThemAre()
    {
        using var folder = new ComparisonFolder($$""" "equal": "none", "reference": "v39", "variants": { {{string.Join(", ", Enumerable.Range(1, 40).Select(i => $"\"v{i:00}\": {{ \"model.hidden\": {8 * i} }}"))}} } """);
        foreach (ComparedVariant variant in folder.Comparison.Variants)
        {
            folder.Ended(new ComparedRun(variant, new RatePoint(null, null), 1), ("validationLoss", int.Parse(variant.Name[1..], System.Globalization.CultureInfo.InvariantCulture)));
        }

        using var text = new StringWriter();
        ComparisonResult result = ResultCollector.Collect(folder.Path);
        ResultView.Write(new Output(text, text, json: false, width: 80), result);
        string shown = text.ToString();
        Assert.That(shown, Does.Contain("Of 40 variants the first 30 are shown; table.md and table.csv have all of them."));
        Assert.That((shown.Contains("v30 ", StringComparison.Ordinal), shown.Contains("v31 ", StringComparison.Ordinal), shown.Contains("v39 (base)", StringComparison.Ordinal)), Is.EqualTo((true, false, true)));
        Assert.That(ResultFiles.MarkdownOf(result), Does.Contain("| v40 |"));
    }
}
