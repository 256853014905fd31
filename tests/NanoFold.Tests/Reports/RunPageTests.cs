using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Reports;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;
using NanoFold.Tests.Cli;

namespace NanoFold.Tests.Reports;

public class RunPageTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void Make()
    {
        _folder = new TemporaryFolder();
        MadeUpComparison.WriteRun(_folder["attention"], MadeUpComparison.Config(), 1.66, seed: 2, steps: 400);
    }

    [TearDown]
    public void Remove() => _folder.Dispose();

    [Test]
    public void APageOfARunShowsItsLossAgainstFourScales()
    {
        ReportPage page = Report.Of([_folder["attention"]], "report");
        Figure loss = page.Figures.First();
        Assert.That(loss.Views.Select(view => view.Name), Is.EqualTo(new[] { "tokens", "FLOPs", "seconds", "steps" }));
        Chart seconds = (Chart)loss.Views[2];
        Assert.That(seconds.Series.Select(series => series.Name), Is.EqualTo(new[] { "training", "validation" }));
        Assert.That((seconds.Series[1].X[^1], seconds.Series[1].Y[^1]), Is.EqualTo((400 * 0.04, MadeUpComparison.Loss(1.66, 2, 400))));
        Assert.That(page.Facts.Select(fact => $"{fact.Name}: {fact.Value}"), Is.SupersetOf(new[] { "validation loss: 1.7707", "bits per byte: 2.5546", "steps: 400", "parameters: 857 k" }));
        Assert.That(page.Lead, Does.StartWith("4 × attention + swiglu; width 128, context 64. Trained on"));
    }

    [Test]
    public void GeometryIsShownByLayerWhileTrainingAndByHeadAtTheEnd()
    {
        string Line(int step, string scope, int layer, string more, string measure, string figure, double value)
            => "{" + string.Create(CultureInfo.InvariantCulture, $"\"version\":2,\"step\":{step},\"measure\":\"{measure}\",\"scope\":\"{scope}\",\"point\":\"blocks.{layer}\",\"layer\":{layer}{more},")
                + string.Create(CultureInfo.InvariantCulture, $"\"figures\":{{\"{figure}\":{{\"value\":{value},\"error\":0.5,\"estimator\":\"x\",\"points\":9}}") + "}}";
        File.WriteAllLines(Path.Combine(_folder["attention"], RunFolder.GeometryFile),
        [
            Line(100, "point", 0, "", "spectrum", "participationRatio", 8), Line(100, "point", 1, "", "spectrum", "participationRatio", 6), Line(200, "point", 0, "", "spectrum", "participationRatio", 9),
            Line(200, "point", 1, "", "twonn", "dimension", 4), Line(200, "head", 1, ",\"head\":2", "attention-heads", "firstTokenMass", 7), "{ torn",
        ]);
        Dictionary<string, Figure> figures = Report.Of([_folder["attention"]], "report").Figures.ToDictionary(figure => figure.Title);
        Series first = ((Chart)figures["Spectrum by layer while training"].Views[0]).Series[0];
        Assert.That((first.Name, first.X, first.Y), Is.EqualTo(("layer 0", new double?[] { 100, 200 }, new double?[] { 8, 9 })));
        Assert.That(first.Intervals![1], Is.EqualTo((8.5, 9.5)));
        Assert.That(((Chart)figures["TwoNN by depth"].Views[0]).Series[0].Y, Is.EqualTo(new double?[] { 4 }));
        Assert.That(((HeatMap)figures["Attention heads after 200 steps"].Views[0]).Cells, Is.EqualTo(new[] { new double?[] { null, null, null }, [null, null, 7] }));
    }

    [Test]
    public void SeveralRunsStandBesideEachOtherWithTheSettingsInWhichTheyDiffer()
    {
        MadeUpComparison.WriteRun(_folder["other/attention"], MadeUpComparison.Config("train.seed=3", "model.layers=2"), 1.6, seed: 3, steps: 200);
        ReportPage page = Report.Of([_folder["attention"], _folder["other/attention"]], "report");
        ReportTable table = page.Sections[0].Items.OfType<ReportTable>().Single();
        Assert.That(table.Columns.Select(column => column.Title), Is.SupersetOf(new[] { "layers", "seed", "loss", "bits per byte", "parameters" }));
        Assert.That(table.Rows.Select(row => row[0].Text), Is.EqualTo(new[] { $"{Path.GetFileName(_folder.Path)}/attention", "other/attention" }), "as much of the path as tells them apart, the smaller loss first");
        Assert.That(page.Lead, Does.Contain("`model.layers`").And.Contain("`train.seed`").And.Contain("over several seeds"));
    }

    /// <summary>What is held back in full counts only where the last evaluation was of it: a run that went on since has another model.</summary>
    [Test]
    public void FiguresAreOfTheLastEvaluation()
    {
        string metrics = Path.Combine(_folder["attention"], RunFolder.MetricsFile);
        string Loss() => Report.Of([_folder["attention"]], "report").Facts.Single(fact => fact.Name == "validation loss").Value;
        File.AppendAllLines(metrics, ["""{"step":400,"validationLoss":1.5,"fullValidationLoss":1.25}"""]);
        Assert.That(Loss(), Is.EqualTo("1.2500"));
        File.AppendAllLines(metrics, ["""{"step":450,"validationLoss":1.125}"""]);
        Assert.That(Loss(), Is.EqualTo("1.1250"));
    }

    [Test]
    public void DamagedSamplesArePassedOver()
    {
        File.WriteAllLines(Path.Combine(_folder["attention"], RunFolder.SamplesFile), ["""{"step":5,"prompt":1,"text":2}""", "{", """{"step":"x"}""", """{"step":10,"prompt":"a ","text":"b"}"""]);
        Assert.That(Report.Of([_folder["attention"]], "report").Sections.SelectMany(section => section.Items).OfType<Samples>().Single().Texts, Is.EqualTo(new[] { ("after 10 steps", "a b") }));
    }

    [Test]
    public void CurvesAreThinnedByMeans()
    {
        var curve = new Curve([.. Enumerable.Range(1, 10).Select(i => new CurvePoint(i, 10 * i, 0, 0, i))]);
        Assert.That(curve.Thinned(4).Points.Select(point => (point.Step, point.Value)), Is.EqualTo(new[] { (3.0, 2.0), (6.0, 5.0), (9.0, 8.0), (10.0, 10.0) }));
        Assert.That(curve.Thinned(10), Is.SameAs(curve));
    }

    [Test]
    public void ARunWithKindsOfAnotherProgramIsShownWithoutItsCosts()
    {
        string file = Path.Combine(_folder["attention"], RunConfig.FileName);
        JsonNode config = JsonNode.Parse(File.ReadAllText(file))!;
        config["model"]!["mixer"] = JsonNode.Parse("""{"kind":"leaky"}""");
        File.WriteAllText(file, config.ToJsonString());
        ReportPage page = Report.Of([_folder["attention"]], "report");
        Assert.That(page.Lead, Does.StartWith("a model with kinds of another program"));
        Assert.That(page.Facts.Select(fact => fact.Name), Does.Contain("validation loss").And.Not.Contain("parameters"));
    }

    [Test]
    public void TheVerbWritesThePageAndSaysWhere()
    {
        JsonObject result = CommandLine.Json("report", _folder["attention"]);
        Assert.That(result["report"]!.GetValue<string>(), Is.EqualTo(Path.Combine(_folder["attention"], "report.html")));
        Assert.That(new FileInfo(Path.Combine(_folder["attention"], "report.html")).Length, Is.EqualTo(result["bytes"]!.GetValue<long>()).And.LessThan(8_000_000));
        Assert.That(result["sections"]!.AsArray().Select(title => title!.GetValue<string>()), Is.EqualTo(new[] { "Training", "Settings" }));
        Assert.That(result["figures"]!.GetValue<int>(), Is.EqualTo(4));
    }

    [Test]
    public void WhatIsNoRunIsRefusedInALine()
    {
        Directory.CreateDirectory(_folder["empty"]);
        (string Path, string Said)[] cases = [("empty", "holds no run; name a folder that train or compare wrote"), ("nowhere", "there is no such folder")];
        foreach ((string path, string said) in cases)
        {
            CommandLine run = CommandLine.Run("report", _folder[path], "--out", _folder["page.html"]);
            Assert.That((run.Code, run.ErrorLines), Is.EqualTo((1, new[] { $"nanofold: {_folder[path]}: {said}" })));
            Assert.That(File.Exists(_folder["page.html"]), Is.False);
        }

        File.WriteAllText(Path.Combine(_folder["attention"], RunConfig.FileName), "{ \"model\": ");
        Assert.That(CommandLine.Run("report", _folder["attention"]).ErrorLines.Single(), Does.Contain("config.json"));
    }
}
