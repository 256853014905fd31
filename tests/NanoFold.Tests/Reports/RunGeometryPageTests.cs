using System.Globalization;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Reports;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Geometry;
using NanoFold.Reports.Items;

namespace NanoFold.Tests.Reports;

/// <summary>What was measured of a run after training, on its page.</summary>
public class RunGeometryPageTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void Make()
    {
        _folder = new TemporaryFolder();
        MadeUpComparison.WriteRun(_folder["run"], MadeUpComparison.Config(), 1.66, seed: 2, steps: 40);
        Directory.CreateDirectory(_folder["run/geometry"]);
    }

    [TearDown]
    public void Remove() => _folder.Dispose();

    [Test]
    public void ADimensionIsDrawnByDepthWithItsCalibrationAndControls()
    {
        Write(
            Line("twonn", "dimension", 20, 0, 4), Line("twonn", "dimension", 20, 1, 5), Line("twonn", "dimension", 40, 0, 6), Line("twonn", "dimension", 40, 1, 7),
            Line("twonn", "gaussianDimension", 20, 0, 8), Line("twonn", "gaussianDimension", 40, 0, 9), Line("twonn", "dimension", 0, 1, 3, "untrained"), "{ torn");
        Figure figure = Page()["TwoNN dimension"];
        var depth = (Chart)figure.Views[0];
        Assert.That(depth.Series.Select(line => line.Name), Is.EqualTo(new[] { "step 20", "step 40", "Gaussian that reads so", "untrained model" }));
        Assert.That(depth.Series.Select(line => line.Y), Is.EqualTo(new double?[][] { [4, 5], [6, 7], [9], [3] }));
        Assert.That(depth.Series[3].X, Is.EqualTo(new double?[] { 1 }));
        var map = (HeatMap)figure.Views[1];
        Assert.That((map.X.Categories, map.Cells), Is.EqualTo((new[] { "20", "40" }, new[] { new double?[] { 4, 6 }, [5, 7] })));
        Assert.That((figure.Measures, figure.Caption), Is.EqualTo((new[] { "twonn" }, "Intrinsic dimension of the cloud after each block; the broken line is the Gaussian's dimension that would read so. A hump in the middle is usual in trained models, a flat line in untrained ones. Estimated: x, N = 9.")));
    }

    [Test]
    public void FiguresWithNumbersAreDrawnOverThemAndCurvatureHasItsReferences()
    {
        Write(
            Line("gride", "dimension.2", 40, 0, 4), Line("gride", "dimension.64", 40, 0, 2), Line("gride", "gaussianDimension.2", 40, 0, 5), Line("token-curvature", "degrees", 40, 0, 100),
            Line("separability", "nc1.partOfSpeech", 40, 0, 0.5, point: "hook_resid_mid"), Line("separability", "nc1.partOfSpeech", 40, 0, 0.25));
        Dictionary<string, Figure> figures = Page();
        Assert.That(((Chart)((Frames)figures["Dimension by scale"].Views[0]).Charts[0].Chart).Series.Single() is { X: [2.0, 64.0], Y: [4.0, 2.0] });
        Assert.That(((Chart)figures["Curvature over tokens"].Views[0]).Series.Skip(1).Select(line => (line.Name, line.Y[0])), Is.EqualTo(new (string, double?)[] { ("line, 0°", 0), ("random walk, 90°", 90), ("independent points, 120°", 120) }));
        var classes = (Chart)figures["Spread within classes over between"].Views[0];
        Assert.That((classes.Name, classes.Series[0].X, classes.Series[0].Y), Is.EqualTo(("partOfSpeech · by depth", new double?[] { -0.5, 0 }, new double?[] { 0.5, 0.25 })));
    }

    [Test]
    public void WhatIsZeroEverywhereHasNoAxisBelowZero()
    {
        Write(Line("homology", "betti1", 40, 0, 0), Line("homology", "betti1", 40, 1, 0), Line("homology", "betti0", 40, 0, 1), Line("homology", "betti0", 40, 1, 0));
        Dictionary<string, Figure> figures = Page();
        Assert.That(new[] { "Loops", "Components" }.Select(title => ((Chart)figures[title].Views[0]).Y.HasZero), Is.EqualTo(new[] { true, false }));
    }

    /// <summary>Of checkpoints against the last one each has the step of the earlier one; what a quantity is held against is drawn beside it.</summary>
    [Test]
    public void CheckpointsAgainstTheLastAreLinesByTheirSteps()
    {
        string Shift(string figure, int step, string other, double value) => Line("hidden-shift", figure, step, 0, value, scope: "checkpoints", other: other);
        Write(
            Shift("heldOutShare", 40, "step-000010", 0.5), Shift("heldOutShare", 40, "step-000020", 0.75), Shift("randomShare", 40, "step-000020", 0.25), Shift("heldOutShare", 20, "step-000010", 0.125),
            Shift("heldOutShare", 40, "base/step-000007", 0.875), Shift("shift", 40, "base/step-000007", 2));
        Dictionary<string, Figure> figures = Page();
        var shares = (Chart)figures["Shift in the directions of other tokens"].Views[0];
        Assert.That(shares.Series.Select(line => (line.Name, line.Y.Single())), Is.EqualTo(new (string, double?)[] { ("step 10", 0.5), ("step 20", 0.75), ("random directions", 0.25), ("against base/step-000007", 0.875) }));
        Figure alone = figures["Shift of tokens"];
        Assert.That((((Chart)alone.Views[0]).Series.Single().Y.Single(), alone.Caption.Contains(" Held against base/step-000007.", StringComparison.Ordinal)), Is.EqualTo(((double?)2, true)));
    }

    /// <summary>Where a layer has several of a quantity, such as its matrices, each is a line, broken for what it is held against.</summary>
    [Test]
    public void PartsOfALayerAreLinesOfTheirOwn()
    {
        string Change(string figure, string matrix, double value) => Line("weight-change", figure, 40, 0, value, scope: "checkpoints", full: $"model.layers.0.mlp.{matrix}_proj.weight", other: "step-000020");
        Write(
            Change("changeK90", "up", 5), Change("gaussianK90", "up", 50), Change("changeK90", "down", 6),
            Line("attribution", "exactEffect", 40, 1, 0.5, scope: "network", point: "hook_attn_out"), Line("attribution", "exactEffect", 40, 1, 0.25, scope: "network", point: "hook_mlp_out"));
        Dictionary<string, Figure> figures = Page();
        (string Name, Chart Chart) Only(string title) => ((Frames)figures[title].Views.Single()).Charts.Single() is var (name, chart) ? (name, (Chart)chart) : default;
        (string step, Chart weights) = Only("Directions of the change");
        Assert.That((step, weights.Y.IsLogarithmic), Is.EqualTo(("20", true)));
        Assert.That(weights.Series.Select(line => (line.Name, line.Y.Single(), line.IsInLegend)), Is.EqualTo(new (string, double?, bool)[] { ("mlp.up_proj", 5, true), ("mlp.down_proj", 6, true), ("mlp.up_proj, random matrix", 50, false) }));
        Assert.That(Only("Effect of a part's output").Chart.Series.Select(line => (line.Name, line.X.Single(), line.Y.Single())), Is.EqualTo(new (string, double?, double?)[] { ("mixer", 1, 0.5), ("feed-forward", 1, 0.25) }));
    }

    [Test]
    public void WhatIsOfTheWholeModelIsDrawnOverSteps()
    {
        string Of(string measure, string figure, int step, double value, string control = "none", string? other = null) => Line(measure, figure, step, 0, value, control, other is null ? "network" : "checkpoints", full: "model", other: other).Replace("\"layer\":0,", "", StringComparison.Ordinal);
        Write(
            Of("attribution", "partSpearman", 20, 0.5), Of("attribution", "partSpearman", 40, 0.75), Of("attribution", "placeSpearman", 40, 1), Of("attribution", "partSpearman", 40, 0.25, "shuffled"),
            Of("output-shift", "klSecondToFirst", 40, 2, other: "step-000010"),
            Of("dimension-profile", "dimension.0", 40, 3), Of("dimension-profile", "dimension.1", 40, 4), Of("dimension-profile", "dimension.2", 40, 5));
        Dictionary<string, Figure> figures = Page();
        var effects = (Chart)figures["Estimated against exact effects"].Views.Single();
        Assert.That(effects.Series.Select(line => line.Name), Is.EqualTo(new[] { "parts", "places", "shuffled tokens" }));
        Assert.That((effects.Series[0].X, effects.Series[0].Y, effects.Series[2].X, effects.Series[2].Y), Is.EqualTo((new double?[] { 20, 40 }, new double?[] { 0.5, 0.75 }, new double?[] { 20, 40 }, new double?[] { 0.25, 0.25 })));
        Assert.That(((Chart)figures["Change of what is said"].Views.Single()).Series.Single() is { X: [10.0], Y: [2.0] });
        Assert.That(((Chart)figures["Dimension by relative depth"].Views.Single()).Series.Single() is { X: [0.0, 0.5, 1.0], Y: [3.0, 4.0, 5.0] });
    }

    [Test]
    public void WaysOfStatesAreAPictureALayer()
    {
        Write(Line("states", "stateRank", 40, 1, 3, scope: "block", full: "blocks.1"), Line("states", "stateRankMost", 40, 1, 8, scope: "block", full: "blocks.1"));
        using (var arrays = new NpzWriter(File.Create(_folder["run/geometry/geometry.npz"])))
        {
            arrays.Add<float>("states/blocks.1/40/trajectory", [2, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        }

        Dictionary<string, Figure> figures = Page();
        Assert.That(((Chart)figures["Rank of recurrent states"].Views[0]).Series.Select(line => (line.Name, line.Y.Single())), Is.EqualTo(new (string, double?)[] { ("trained", 3), ("at most", 8) }));
        var plane = (Frames)figures["Recurrent states through a window"].Views[0];
        Assert.That((plane.Over, plane.Charts.Single().Name), Is.EqualTo(("layer", "1")));
        Assert.That(((Chart)plane.Charts.Single().Chart).Series[2] is { Name: "window 1", X: [6.0, 9.0, null], Y: [7.0, 10.0, null], Labels: ["“window 1” after token 0", "“window 1” after token 1", ""] });
    }

    [Test]
    public void LayersAreHeldAgainstEachOther()
    {
        string Pair(string first, string second, int layer, double value) => Line("cka", "unbiased", 40, layer, value, scope: "pair", full: first, other: second);
        Write(Pair("blocks.0.hook_resid_pre", "blocks.0.hook_resid_post", 0, 0.5), Pair("blocks.0.hook_resid_post", "blocks.1.hook_resid_post", 1, 0.75));
        var map = (HeatMap)((Frames)Page()["CKA of layers"].Views[0]).Charts[0].Chart;
        Assert.That(map.X.Categories, Is.EqualTo(new[] { "in", "0", "1" }));
        Assert.That(map.Cells, Is.EqualTo(new[] { new double?[] { 1, 0.5, null }, [0.5, 1, 0.75], [null, 0.75, 1] }));
    }

    /// <summary>Of arrays: spectra with both axes logarithmic, ways of tokens in the plane and in space, patterns of attention by layer and by head.</summary>
    [Test]
    public void SpectraTrajectoriesAndPatternsComeFromTheArrays()
    {
        Write(Line("norms", "norm", 40, 0, 1));
        using (var arrays = new NpzWriter(File.Create(_folder["run/geometry/geometry.npz"])))
        {
            arrays.Add<double>("spectrum/blocks.0.hook_resid_post/40/eigenvalues", [3], [1, 100, 10]);
            arrays.Add<double>("spectrum/blocks.0.hook_resid_post/40/shuffled/eigenvalues", [3], [9, 9, 9]);
            arrays.Add<float>("trajectories/hook_resid_post/40/coordinates", [2, 2, 3], [0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7]);
            arrays.Add<int>("trajectories/hook_resid_post/40/tokens", [2], [17, 18]);
            arrays.Add<float>("attention-graph/blocks.1/40/pattern", [2, 2, 2], [1, 0, 0.5f, 0.5f, 1, 0, 0.25f, 0.75f]);
        }

        Dictionary<string, Figure> figures = Page();
        var spectrum = (Chart)((Frames)figures["Spectrum of the residual stream"].Views[0]).Charts.Single().Chart;
        Assert.That((spectrum.X.IsLogarithmic, spectrum.Y.IsLogarithmic), Is.EqualTo((true, true)));
        Assert.That(spectrum.Series.Single() is { X: [1.0, 2.0, 3.0], Y: [100.0, 10.0, 1.0] });
        var space = (Chart)((Frames)figures["Tokens through the layers"].Views[1]).Charts.Single().Chart;
        Assert.That((space.Series[0].Name, space.Series[0].X, space.Series[0].Z), Is.EqualTo(("number", new double?[] { 0, 2, null, 1, 5, null }, new double?[] { 0, 4, null, 1, 7, null })));
        Assert.That(space.Series[0].Labels![1], Is.EqualTo("“17” after 0"));
        Frames[] patterns = [.. figures["Attention over the first tokens of a window"].Views.Cast<Frames>()];
        Assert.That(patterns[0].Charts.Single() is ("1", HeatMap { Cells: [[1.0, null], [0.375, 0.625]] }));
        Assert.That(patterns[1].Charts.Select(frame => frame.Name), Is.EqualTo(new[] { "layer 1, head 0", "layer 1, head 1" }));
    }

    /// <summary>Every measure that is drawn is defined on the page, and its link leads there.</summary>
    [Test]
    public void EveryChartLinksToItsDefinition()
    {
        Write(Line("twonn", "dimension", 40, 0, 4), Line("norms", "normWithoutFirst", 40, 0, 4));
        string html = Report.Of([_folder["run"]], "report").ToHtml();
        Assert.That(html, Does.Contain("<a href=\"#def-twonn\">twonn</a>").And.Contain("<div id=\"def-twonn\"").And.Contain("<a href=\"#def-norms\">norms</a>").And.Contain("<div id=\"def-norms\""));
        Assert.That(Quantities.All.SelectMany(group => group.All).Select(quantity => quantity.Measure).Distinct(), Is.SubsetOf(MeasureDefinition.All.Keys));
        Assert.That(MeasureDefinition.All["twonn"], Has.Property("Centered").EqualTo("no matter").And.Property("Figures").EqualTo("`dimension`, `gaussianDimension`"));
    }

    [Test]
    public void WhatEachLayerWouldSayIsATable()
    {
        Write(Line("logit-lens", "klFinalToLens", 40, 0, 2, scope: "network", point: "hook_resid_pre"), Line("logit-lens", "klFinalToLens", 40, 0, 1, scope: "network"));
        using (var arrays = new NpzWriter(File.Create(_folder["run/geometry/geometry.npz"])))
        {
            foreach ((string point, int token) in new[] { ("blocks.0.hook_resid_pre", 3), ("blocks.0.hook_resid_post", 4) })
            {
                arrays.Add<int>($"logit-lens/{point}/40/places", [2], [14, 15]);
                arrays.Add<int>($"logit-lens/{point}/40/tokens", [2], [7, 8]);
                arrays.Add<int>($"logit-lens/{point}/40/topTokens", [2, 2], [token, 1, 5, 6]);
                arrays.Add<float>($"logit-lens/{point}/40/topProbabilities", [2, 2], [0.5f, 0.25f, 0.75f, 0.125f]);
            }
        }

        ReportSection section = Report.Of([_folder["run"]], "report").Sections.Single(section => section.Title == "Read-out and Jacobians");
        Assert.That(((Chart)section.Items.OfType<Figure>().Single().Views[0]).Series[0] is { X: [-1.0, 0.0], Y: [2.0, 1.0] });
        ReportTable table = section.Items.OfType<ReportTable>().Single();
        Assert.That(table.Columns.Select(column => column.Title), Is.EqualTo(new[] { "layer", "7", "8" }));
        Assert.That(table.Rows.Select(row => string.Join(" | ", row.Select(cell => cell.Text))), Is.EqualTo(new[] { "in | 3 1 50 % | 5 6 75 %", "0 | 4 1 50 % | 5 6 75 %" }));
        Assert.That(table.Rows[0].Skip(1).Select(cell => cell.Tone), Is.EqualTo(new[] { Tone.Plain, Tone.Good }));
    }

    [Test]
    public void PointsAreTurnedOntoOthers()
    {
        double[] target = [1, 2, 3, -2, 0.5, 1, 0, -1, 2, 4, 1, 0];
        double c = Math.Cos(0.7), s = Math.Sin(0.7);
        // Turned about the third axis, which is mirrored.
        double[] turned = [.. target.Chunk(3).SelectMany(p => new[] { (c * p[0]) - (s * p[1]), (s * p[0]) + (c * p[1]), -p[2] })];
        Assert.That(Turning.Onto(turned, target, 3), Is.EqualTo(target).Within(1e-9));
        Assert.That(Turning.Onto([1, 0, 0], [1, 0, 0], 3), Is.EqualTo(new double[] { 1, 0, 0 }), "too few to say how");
    }

    private Dictionary<string, Figure> Page() => Report.Of([_folder["run"]], "report").Figures.ToDictionary(figure => figure.Title);

    private void Write(params string[] lines) => File.WriteAllLines(_folder["run/geometry/geometry.jsonl"], lines);

    private static string Line(string measure, string figure, int step, int layer, double value, string control = "none", string scope = "point", string point = "hook_resid_post", string? full = null, string? other = null)
        => "{" + string.Create(CultureInfo.InvariantCulture, $"\"version\":3,\"step\":{step},\"measure\":\"{measure}\",\"figure\":\"{figure}\",\"scope\":\"{scope}\",\"point\":\"{full ?? $"blocks.{layer}.{point}"}\",\"layer\":{layer},")
            + (other is null ? "" : $"\"other\":\"{other}\",") + string.Create(CultureInfo.InvariantCulture, $"\"value\":{value},\"status\":\"Ok\",\"settings\":\"x\",\"n\":9,\"control\":\"{control}\"") + "}";
}
