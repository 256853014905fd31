using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry;

/// <summary>Every registered measure, on models of every kind.</summary>
public class MeasureSuite : EngineTests
{
    private static IReadOnlyList<Measure> All => [.. Variant.Of<Measure>().Select(v => (Measure)Activator.CreateInstance(v.Type)!)];

    private static IEnumerable<TestCaseData> Kinds => All.Select(m => new TestCaseData(m).SetArgDisplayNames(m.Kind));

    private static IEnumerable<TestCaseData> Models => ModelVariants.All
        .Where(v => v.Name.EndsWith("grouped", StringComparison.Ordinal) || v.Name is "moe" or "pattern" || v.Name.StartsWith("gate AttentionOutput", StringComparison.Ordinal))
        .Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [TestCaseSource(nameof(Kinds))]
    public void ItsFiguresAreNamedOnceAndItsColumnsAreAmongThem(Measure measure)
    {
        IReadOnlyList<Measured> measured = Run([measure], ModelVariants.All.First(v => v.Name == "pattern").Model with { Mixer = Gated });
        Assert.That(measured, Is.Not.Empty);
        Assert.That(measure.Legend, Is.Not.Empty);
        foreach (Measured one in measured)
        {
            Assert.That(one.Figures.Select(f => f.Name), Is.Unique);
            Assert.That(one.Figures, Is.All.Matches<Figure>(f => f.Estimator.Length > 0 && f.Status.HasValue() == f.Value is not null && (f.Value is not { } v || double.IsFinite(v))));
        }

        Assert.That(measured.Select(m => m.Place), Is.Unique);
        string[] names = [.. measured.SelectMany(m => m.Figures).Select(f => f.Name)];
        Assert.That(measure is GrideMeasure ? measure.Columns.Take(3).Select(c => c.Figure) : measure.Columns.Select(c => c.Figure), Is.SubsetOf(names));
        Assert.That(measured.SelectMany(m => m.Figures).Count(f => f.Status.HasValue()), Is.GreaterThan(0));
    }

    [TestCaseSource(nameof(Kinds))]
    public void ItIsChosenByItsKind(Measure measure)
    {
        RunConfig config = new ConfigTree("nano").Set($"geometry.measures=[\"{measure.Kind}\", {{\"kind\": \"norms\", \"point\": \"hook_mlp_out\"}}]").Build();
        Assert.That(config.Geometry.Measures[0], Is.EqualTo(measure));
        Assert.That(new ConfigTree().AddJson(config.ToJson(), "saved").Build().Geometry.Measures, Is.EqualTo(config.Geometry.Measures));
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
        foreach (Measured alone in All.SelectMany(m => Run([m], model)))
        {
            Measured together = Run(All, model).Single(m => m.Measure == alone.Measure && m.Place == alone.Place);
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
        using var probe = new GeometryProbe(tiny.Model, shape, measures);
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
