using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Comparisons;
using NanoFold.Reports.Items;

namespace NanoFold.Tests.Reports;

public class ComparisonPageTests
{
    private readonly ReportPage _page = MadeUpPages.Comparison;

    [Test]
    public void ItShowsWhatAComparisonIsAskedFor() => Assert.That(_page.Figures.Select(figure => figure.Title), Is.EqualTo(new[]
    {
        "Every seed", "Difference to attention", "Validation loss", "Training loss", "Cost against context", "Loss (nats per token) against cost", "Loss against learning rate", "By position", "By frequency", "On longer rows",
        "Coordinate check, standard", "Coordinate check, mup", "Spectrum by depth",
    }));

    [Test]
    public void DifferencesArePairedAndHaveTheirIntervals()
    {
        Chart chart = View("Difference to attention", "loss");
        Series points = chart.Series.First(series => series is { Name: "window", Kind: SeriesKind.Points }), mean = chart.Series.First(series => series is { Name: "window", Kind: SeriesKind.Means });
        // Its third seed is 0.004 worse, that of the base as well: 0.01 in each but for rounding of the made-up runs.
        Assert.That(points.X, Is.EqualTo(new double?[] { 0.01, 0.01, 0.014 }).Within(1e-9));
        Assert.That(mean.X[0], Is.EqualTo(0.034 / 3).Within(1e-9));
        (double low, double high) = mean.Intervals![0]!.Value;
        // Student's t(0.975, 2) = 4.30265.
        Assert.That((high - low) / 2, Is.EqualTo(4.30265 * 0.0023094 / Math.Sqrt(3)).Within(1e-6));
        Assert.That(chart.Series.Count(series => series is { Name: "gru", Kind: SeriesKind.Points } && series.X.Count == 2), Is.EqualTo(1), "the seed that failed has no point");
    }

    [Test]
    public void TheTableSaysWhatDifferencesShow()
    {
        ReportTable table = _page.Sections[0].Items.OfType<ReportTable>().First();
        Assert.That(table.Rows.Select(row => $"{row[0].Text}: {row[3].Text}, {row[5].Text}"), Is.EqualTo(new[]
        {
            "gated-delta: −0.0413, better", "attention (base): –, ", "window: +0.0113, worse", "mamba: +0.0527, worse", "gru: +0.2200, the same at every seed; their noise is not known",
        }));
        Assert.That(table.Rows[0][3].Tone, Is.EqualTo(Tone.Good));
    }

    [Test]
    public void TheFrontJoinsWhatIsNotBeaten()
    {
        Series front = View("Loss (nats per token) against cost", "seconds").Series[0];
        Assert.That(front.X, Is.EqualTo(new double?[] { 15 }), "the first is the fastest and the best");
        Series size = View("Loss (nats per token) against cost", "parameters").Series[0];
        Assert.That(size.X, Is.Ordered.Ascending);
        Assert.That(size.Y, Is.Ordered.Descending);
        Assert.That(size.Y[^1], Is.EqualTo(MadeUpComparison.Loss(1.62, 2, MadeUpComparison.Steps)).Within(1e-9));
    }

    [Test]
    public void CostsGrowWithTheContextWhereAKindMeetsEveryPair()
    {
        Chart flops = View("Cost against context", "FLOPs");
        Series attention = flops.Series.Single(series => series.Name == "attention"), delta = flops.Series.Single(series => series.Name == "gated-delta");
        Assert.That(attention.X, Is.EqualTo(new double?[] { 64, 128, 256, 512, 1024, 2048 }));
        // 12 · layers · heads · headDim for each token of context more.
        Assert.That(attention.Y[5] - attention.Y[4], Is.EqualTo(12.0 * 4 * 128 * 1024));
        Assert.That(delta.Y[5], Is.EqualTo(delta.Y[0]).Within(1).Percent);
    }

    [Test]
    public void RunsThatFailedAreNamed()
    {
        ReportTable table = _page.Sections.Single(section => section.Title == "Runs").Items.OfType<ReportTable>().First();
        Assert.That(table.Rows.Single().Select(cell => cell.Text), Is.EqualTo(new[] { "runs/gru-seed-3", "failed", "120", "the loss is not a number after step 120" }));
        Assert.That(_page.Sections[0].Items.OfType<Paragraph>().Single(paragraph => paragraph.IsWarning).Content, Does.StartWith("1 of the runs failed"));
    }

    [Test]
    public void BaselinesStandBesideTheVariants()
    {
        ReportTable table = _page.Sections[0].Items.OfType<ReportTable>().Last();
        Assert.That(table.Rows.Select(row => string.Join(' ', row.Select(cell => cell.Text))), Is.EqualTo(new[] { "Kneser-Ney, order 5 1.8300 2.6401", "xz, text known – 2.5500", "guessing 5.5452 –" }));
        Assert.That(View("Every seed", "loss").Series.Where(series => series.Kind == SeriesKind.Reference).Select(series => series.Name), Is.EqualTo(new[] { "Kneser-Ney, order 5" }), "guessing is too far away to be drawn");
    }

    /// <summary>Of seeds the first that has a curve stands for its variant, also where the very first has none.</summary>
    [Test]
    public void AVariantWhoseFirstSeedHasNoCurveIsInTheLegend()
    {
        using var folder = new TemporaryFolder();
        ComparisonResult result = MadeUpComparison.Write(folder.Path);
        File.Delete(folder["runs/window-seed-1/metrics.jsonl"]);
        var chart = (Chart)Report.Of(folder.Path, result, "report").Figures.Single(figure => figure.Title == "Validation loss").Views[0];
        Assert.That(chart.Series.Where(series => series.Name == "window").Select(series => series.IsInLegend), Is.EqualTo(new[] { true, false }));
        Assert.That(chart.Series.Count(series => series.IsInLegend), Is.EqualTo(5));
    }

    /// <summary>Links lead from where the page is to where the runs are, in any folder name; a run without a folder has none.</summary>
    [Test]
    public void LinksLeadFromThePageToTheRuns()
    {
        using var folder = new TemporaryFolder();
        ComparisonResult result = MadeUpComparison.Write(folder["a #1 & b"]);
        Directory.Delete(folder["a #1 & b/runs/gru-seed-3"], recursive: true);
        Cell[] Runs(string? file) => [.. Report.Of(folder["a #1 & b"], result, "report", file).Sections.Single(section => section.Title == "Runs").Items.OfType<ReportTable>().Last().Rows.Select(row => row[0])];
        Assert.That(Runs(null)[0].Link, Is.EqualTo("runs/gated-delta-seed-1/"));
        Assert.That(Runs(folder["pages/a.html"])[0].Link, Is.EqualTo("../a%20%231%20%26%20b/runs/gated-delta-seed-1/"));
        Assert.That(Runs(null).Where(cell => cell.Link is null).Select(cell => cell.Text), Is.EqualTo(new[] { "runs/gru-seed-3" }));
    }

    /// <summary>Variants of a grid share a color; no two look the same.</summary>
    [Test]
    public void VariantsOfAGridShareAColor()
    {
        string[] names = [.. from mixer in Enumerable.Range(0, 25) from width in new[] { 32, 64, 128 } select $"mixer-{mixer} width={width}"];
        (int Color, int Style)[] looks = VariantLooks.Of(names);
        Assert.That(looks.Take(4), Is.EqualTo(new[] { (0, 0), (0, 1), (0, 2), (1, 0) }));
        Assert.That(looks, Is.Unique);
        string Drawn((int Color, int Style) look)
        {
            JsonNode trace = JsonNode.Parse(PlotlyChart.ToJson(new Chart("", new Axis(""), new Axis(""), new Series("", [1], [1]) { Kind = SeriesKind.LineAndPoints, Color = Color.Of(look.Color), Style = look.Style })))!["data"]![0]!;
            return $"{trace["line"]!["color"]} {trace["line"]!["dash"]} {trace["marker"]!["symbol"]}";
        }

        Assert.That(looks.Select(Drawn), Is.Unique);
        Assert.That(VariantLooks.Of(["attention", "gru", "attention"]), Is.EqualTo(new[] { (0, 0), (1, 0), (0, 1) }));
    }

    private Chart View(string figure, string name) => (Chart)_page.Figures.Single(candidate => candidate.Title == figure).Views.Single(view => view.Name == name);
}
