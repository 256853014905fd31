using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports;
using NanoFold.Reports.Charts;

namespace NanoFold.Tests.Reports;

/// <summary>Variants with each of some values: a line for each of them, and all in a map.</summary>
public class GridFiguresTests
{
    private static readonly (string Name, double Loss, string Mixer)[] s_variants =
    [
        ("gru width=32", 2.5, "gru"), ("attention", 3, "attention"), ("gru width=64", 1.5, "gru"), ("mamba width=32", 2.25, "mamba"), ("mamba width=64", 1.25, "mamba"), ("rnn width=32", 2.75, "rnn"),
    ];

    [Test]
    public void LinesAndMapHoldTheMeansOfEveryPoint()
    {
        using var folder = new TemporaryFolder();
        ComparisonResult result = MadeUpComparison.Write(folder.Path, s_variants);
        ReportPage page = Report.Of(folder.Path, result, "report");
        double Mean(string name) => result.Variants.Single(variant => variant.Name == name).Figure("loss")!.Mean;
        Assert.That(page.Figures.Take(2).Select(figure => figure.Title), Is.EqualTo(new[] { "Loss by width", "Loss of every variant" }));
        var lines = (Chart)page.Figures.First().Views.First(view => view.Name == "loss");
        Assert.That(lines.X.Marks, Is.EqualTo(new[] { 32, 64 }));
        Assert.That(lines.Series.Select(series => series.Name), Is.EqualTo(new[] { "mamba", "gru", "rnn" }), "the best first, what lacks points last");
        Assert.That(lines.Series[1].X, Is.EqualTo(new double?[] { 32, 64 }));
        Assert.That(lines.Series[1].Y, Is.EqualTo(new double?[] { Mean("gru width=32"), Mean("gru width=64") }));
        double deviation = result.Variants[0].Figure("loss")!.StandardDeviation!.Value;
        Assert.That(lines.Series[1].Intervals![0], Is.EqualTo((Mean("gru width=32") - deviation, Mean("gru width=32") + deviation)));
        var map = (HeatMap)page.Figures.ElementAt(1).Views.First(view => view.Name == "loss");
        Assert.That(map.Y.Categories, Is.EqualTo(new[] { "mamba", "gru", "rnn" }));
        Assert.That(map.X.Categories, Is.EqualTo(new[] { "32", "64" }));
        Assert.That(map.Cells[0], Is.EqualTo(new double?[] { Mean("mamba width=32"), Mean("mamba width=64") }));
        Assert.That(map.Cells[2], Is.EqualTo(new double?[] { Mean("rnn width=32"), null }));
    }
}
