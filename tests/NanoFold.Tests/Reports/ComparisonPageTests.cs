using NanoFold.Reports;
using NanoFold.Reports.Charts;
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
        Assert.That(table.Rows.Select(row => $"{row[0].Text}: {row[4].Text}, {row[7].Text}"), Is.EqualTo(new[]
        {
            "gated-delta: −0.0413, better", "attention (base): –, ", "window: +0.0113, worse", "mamba: +0.0527, worse", "gru: +0.2200, the same at every seed; their noise is not known",
        }));
        Assert.That(table.Rows[0][4].Tone, Is.EqualTo(Tone.Good));
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
        Assert.That(_page.Sections[0].Items.OfType<Paragraph>().Last().Content, Does.StartWith("1 of the runs"));
    }

    [Test]
    public void BaselinesStandBesideTheVariants()
    {
        ReportTable table = _page.Sections[0].Items.OfType<ReportTable>().Last();
        Assert.That(table.Rows.Select(row => string.Join(' ', row.Select(cell => cell.Text))), Is.EqualTo(new[] { "Kneser-Ney, order 5 1.8300 2.6401", "xz, text known – 2.5500", "guessing 5.5452 –" }));
        Assert.That(View("Every seed", "loss").Series.Where(series => series.Kind == SeriesKind.Reference).Select(series => series.Name), Is.EqualTo(new[] { "Kneser-Ney, order 5" }), "guessing is too far away to be drawn");
    }

    private Chart View(string figure, string name) => (Chart)_page.Figures.Single(candidate => candidate.Title == figure).Views.Single(view => view.Name == name);
}
