using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Engine.Tasks;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry;

/// <summary>Every registered measure, on models of every kind.</summary>
public class MeasureSuite : EngineTests
{
    private static IReadOnlyList<Measure> All => [.. MeasurePresets.All.Where(m => m.Tier < Measure.Offline)];

    private static IEnumerable<TestCaseData> Kinds => All.Select(m => new TestCaseData(m).SetArgDisplayNames(m.Kind));

    private static IEnumerable<TestCaseData> Models => ModelVariants.All
        .Where(v => v.Name.EndsWith("grouped", StringComparison.Ordinal) || v.Name is "moe" or "pattern" || v.Name.StartsWith("gate AttentionOutput", StringComparison.Ordinal))
        .Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [TestCaseSource(nameof(Kinds))]
    public void ItsFiguresAreNamedOnceAndItsColumnsAreAmongThem(Measure measure)
    {
        ModelConfig gated = ModelVariants.All.First(v => v.Name == "pattern").Model with { Mixer = Gated };
        // No residual connection and no mixer has all that is measured of them.
        ModelConfig[] models = measure switch
        {
            StreamMeasure => [gated with { Residual = HyperConnectionsConfig.Tiny }, gated with { Residual = AttentionResidualsConfig.Tiny }],
            StreamMixingMeasure => [gated with { Residual = HyperConnectionsConfig.Tiny }],
            StateMeasure => [ModelVariants.Base with { Mixer = Engine.Mixers.GatedLinearAttentionConfig.Tiny }],
            _ => [gated],
        };
        Measured[][] runs = [.. models.Select(model => Run([measure], model).ToArray())];
        Assert.That(runs, Is.All.Not.Empty);
        Assert.That(measure.Legend, Is.Not.Empty);
        foreach (Measured[] measured in runs)
        {
            Assert.That(measured.Select(one => one.Figures), Is.All.Matches<IReadOnlyList<Figure>>(figures => figures.Select(f => f.Name).Distinct().Count() == figures.Count));
            Assert.That(measured.SelectMany(one => one.Figures), Is.All.Matches<Figure>(f => f.Estimator.Length > 0 && f.Status.HasValue() == f.Value is not null && (f.Value is not { } v || double.IsFinite(v))));
            Assert.That(measured.Select(m => m.Place), Is.Unique);
            Assert.That(measured.SelectMany(m => m.Figures).Count(f => f.Status.HasValue()), Is.GreaterThan(0));
        }

        string[] names = [.. runs.SelectMany(measured => measured).SelectMany(m => m.Figures).Select(f => f.Name)];
        IEnumerable<FigureColumn> columns = measure.Columns.Take(measure is GrideMeasure ? 3 : int.MaxValue);
        Assert.That(columns, Is.All.Matches<FigureColumn>(column => column.Of(names).Any(one => names.Contains(one.Figure))));
    }

    [Test]
    public void AColumnMayStandForSeveralFigures()
    {
        IEnumerable<FigureColumn> columns = new DecimationMeasure().Columns.SelectMany(column => column.Of(["dimension.990", "gaussianDimension.990", "dimension.495"]));
        Assert.That(columns.Select(column => (column.Figure, column.Head)), Is.EqualTo(new[] { ("dimension.990", "TwoNN 990"), ("dimension.495", "TwoNN 495") }));
        FigureColumn alone = new TwoNNMeasure().Columns[0];
        Assert.That(alone.Of([]), Is.EqualTo(new[] { alone }));
    }

    [Test]
    public void StreamsAreMeasuredOneByOne()
    {
        ModelConfig model = ModelVariants.Base with { Layers = 3, Residual = new HyperConnectionsConfig { Streams = 3 } };
        Measure alone = new NormMeasure { Point = "hook_streams_post" }, streams = new StreamMeasure();
        IReadOnlyList<Measured> measured = Run([alone, streams], model);
        for (int layer = 0; layer < model.Layers; layer++)
        {
            IReadOnlyList<Figure> together = measured.Single(m => m.Measure == streams && m.Place.Layer == layer).Figures;
            for (int stream = 0; stream < 3; stream++)
            {
                Measured own = measured.Single(m => m.Place == new FigurePlace("stream", $"blocks.{layer}.hook_streams_post", layer, Stream: stream));
                Assert.That(own.Figures[0].Value, Is.EqualTo(together.Single(f => f.Name == $"streamNorm.{stream}").Value).Within(1e-4).Percent);
            }

            Assert.That(together.Single(f => f.Name == "mixingRowError").Value, Is.LessThan(1e-3));
            Assert.That(together.Single(f => f.Name == "mixingColumnError").Value, Is.LessThan(1e-5));
        }

        IReadOnlyList<Measured> free = Run([streams], model with { Residual = new HyperConnectionsConfig { Streams = 3, Sinkhorn = 0 } });
        Assert.That(free[^1].Figures.Single(f => f.Name == "mixingRowError").Value, Is.GreaterThan(0.1));
    }

    /// <summary>Where mixer and feed-forward read the stream together, both updates are measured against what they read.</summary>
    [Test]
    public void UpdatesBesideEachOtherAreOfTheSameStream()
    {
        Measure updates = new UpdateMeasure(), pre = new NormMeasure { Point = "hook_resid_pre" }, made = new NormMeasure { Point = "hook_mlp_out" };
        IReadOnlyList<Measured> measured = Run([updates, pre, made], ModelVariants.Base with { Parallel = ParallelKind.OneNorm });
        double Of(Measure measure, string figure) => measured.Single(m => m.Measure == measure && m.Place.Layer == 1).Figures.Single(f => f.Name == figure).Value!.Value;
        // A mean of quotients beside a quotient of means.
        Assert.That(Of(updates, "feedForwardShare"), Is.EqualTo(Of(made, "norm") / Of(pre, "norm")).Within(25).Percent);
        Assert.That(Of(updates, "mixerShare"), Is.GreaterThan(0));
    }

    [TestCaseSource(nameof(Kinds))]
    public void ItIsChosenByItsKind(Measure measure)
    {
        RunConfig config = new ConfigTree("nano").Set($"geometry.measures=[\"{measure.Kind}\", {{\"kind\": \"norms\", \"point\": \"hook_mlp_out\"}}]").Build();
        Assert.That(config.Geometry.Measures[0], Is.EqualTo(measure));
        Assert.That(new ConfigTree().AddJson(config.ToJson(), "saved").Build().Geometry.Measures, Is.EqualTo(config.Geometry.Measures));
    }

    [Test]
    public void ListsHaveNames()
    {
        static IEnumerable<string> Kinds(string text) => new ConfigTree("nano").Set($"geometry.measures={text}").Build().Geometry.Measures.Select(m => m.Kind);
        Assert.That(Kinds("light"), Is.EqualTo(new RunConfig().Geometry.Measures.Select(m => m.Kind)));
        Assert.That(Kinds("full"), Is.EqualTo(All.Select(m => m.Kind)).And.Member("gride"));
        Assert.That(Kinds("none"), Is.Empty);
        Assert.That(Kinds("light,gride"), Is.EqualTo(Kinds("light").Append("gride")));
        Assert.That(MeasureChoice.Parse("cka,all").Concat(MeasureChoice.Parse("all,cka")).OfType<PairMeasure>().Select(m => (m.Kind, m.AllPairs)), Is.EqualTo(new[]
        {
            ("cka", false), ("overlap", true), ("rsa", true), ("cka", true), ("overlap", true), ("rsa", true),
        }));
        Assert.That(MeasureChoice.Parse("all").Select(m => m.Kind), Is.EqualTo(MeasurePresets.All.Select(m => m.Kind)));
        Assert.That(() => Kinds("ful"), Throws.InstanceOf<ConfigException>().With.Message.Contains("unknown kind \"ful\""));
    }

    [TestCaseSource(nameof(Models))]
    public void AModelWithoutAPointHasNoFiguresOfIt(ModelConfig model)
    {
        using var tiny = new TinyModel(model, Backend());
        HashSet<string> points = [.. tiny.Model.TapPoints.Select(p => p.Name)];
        IReadOnlyList<Measured> measured = Run(All, model);
        for (int layer = 0; layer < model.Layers; layer++)
        {
            bool Has(string kind) => measured.Any(m => m.Measure.Kind == kind && m.Place.Layer == layer);
            Assert.That(Has("norms") && Has("updates") && Has("spectrum") && Has("twonn") && Has("cka") && Has("token-curvature"), $"layer {layer}");
            Assert.That(Has("attention"), Is.EqualTo(points.Contains($"blocks.{layer}.attn.hook_pattern")));
            Assert.That(Has("attention-heads"), Is.EqualTo(points.Contains($"blocks.{layer}.attn.hook_pattern")));
            Assert.That(Has("gates"), Is.EqualTo(points.Contains($"blocks.{layer}.attn.hook_gate")));
            Assert.That(Has("experts"), Is.EqualTo(points.Contains($"blocks.{layer}.mlp.hook_expert_load")));
        }
    }

    [Test]
    public void TheSamePointsAreMeasuredWhateverElseIs()
    {
        ModelConfig model = ModelVariants.Base;
        IReadOnlyList<Measured> all = Run(All, model);
        foreach (Measured alone in All.SelectMany(m => Run([m], model)))
        {
            Measured together = all.Single(m => m.Measure == alone.Measure && m.Place == alone.Place);
            Assert.That(together.Figures, Is.EqualTo(alone.Figures), $"{alone.Measure.Kind} at {alone.Place}");
        }
    }

    [Test]
    public void TwoOfAKindNeedOtherSettings()
    {
        ConfigTree Tree(string measures) => new ConfigTree("nano").Set($"geometry.measures={measures}");
        Assert.That(Tree("""["twonn", {"kind": "twonn", "point": "hook_mlp_out"}]""").Build().Geometry.Measures, Has.Count.EqualTo(2));
        Assert.That(() => Tree("""["twonn", {"kind": "twonn"}]""").Build(), Throws.InstanceOf<ConfigException>().With.Message.Contains("geometry.measures.1: \"twonn\" is there already"));
        Assert.That(() => Tree("""[{"kind": "twonn", "point": "hook_mlp"}]""").Build(), Throws.InstanceOf<ConfigException>().With.Message.Contains("geometry.measures.0.point: \"hook_mlp\" is not one of"));
        Assert.That(() => Tree("""["twonm"]""").Build(), Throws.InstanceOf<ConfigException>().With.Message.Contains("did you mean"));
    }

    private static Engine.Mixers.GatedAttentionConfig Gated => new();

    private IReadOnlyList<Measured> Run(IReadOnlyList<Measure> measures, ModelConfig model)
    {
        using var tiny = new TinyModel(model, Backend());
        ProbeShape shape = ProbeShape.Of(48, 40, tiny.Time);
        using var probe = new GeometryProbe(tiny.Model, new RandomTokens(model.Vocab, 1), shape, measures);
        int[] tokens = Numbers.Integers("probe", shape.Tokens, 0, model.Vocab);
        probe.Read(tokens, new int[tokens.Length]);
        using var recorder = new GeometryRecorder(probe, new GeometryConfig { Every = 1 }, shape.Tokens);
        for (int step = 1; step <= 2; step++)
        {
            recorder.Measure(step, 1, isLast: false);
            tiny.Store.Backend.Fill(tiny.Store.Values(tiny.Store.Parameters[0]).With(Kernels.Layout.Of(1)), step);
        }

        return recorder.Latest;
    }
}
