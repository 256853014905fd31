using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Heads;

/// <summary>Measures of heads, states and streams on models of every kind.</summary>
public class MixerMeasureTests : EngineTests
{
    private static readonly Measure[] s_measures =
        [new AttentionGraphMeasure(), new AttentionLagMeasure(), new AttendedNeighborMeasure { K = 2 }, new HeadOutputMeasure(), new QueryKeyMeasure(), new StateMeasure(), new SpectrumMeasure { Point = "hook_attn_out" }];

    private static IEnumerable<TestCaseData> Mixers => ModelVariants.Mixers.Select(mixer => new TestCaseData(mixer).SetArgDisplayNames(mixer.Kind));

    [TestCaseSource(nameof(Mixers))]
    public void EveryKindHasTheFiguresOfWhatItHas(MixerConfig mixer)
    {
        ModelConfig model = ModelVariants.Base with { Mixer = mixer, KvHeads = mixer is DifferentialConfig or SlidingWindowConfig or GatedAttentionConfig or RetentionConfig ? 2 : 0 };
        using var tiny = new TinyModel(model, Backend());
        HashSet<string> points = [.. tiny.Model.TapPoints.Select(p => p.Name)];
        IReadOnlyList<Measured> measured = Run(tiny, s_measures);
        string[] mixers = mixer is ParallelConfig { Mixers: var beside } ? [.. beside.Select((_, i) => $"blocks.1.mixers.{i}")] : ["blocks.1"];
        foreach (string at in mixers)
        {
            bool hasPattern = points.Contains($"{at}.attn.hook_pattern");
            bool Has(string kind) => measured.Any(m => m.Measure.Kind == kind && m.Place.Point == at);
            Assert.That(Has("attention-graph") && Has("attention-lags") && Has("attended-neighbors"), Is.EqualTo(hasPattern), at);
            Assert.That(Has("query-key"), Is.EqualTo(hasPattern), at);
            Assert.That(Has("states"), Is.EqualTo(points.Contains($"{at}.attn.hook_state") || points.Contains($"{at}.attn.hook_final_state") || points.Contains($"{at}.attn.hook_scan") || points.Contains($"{at}.attn.hook_wkv")), at);
            Assert.That(Has("heads"), Is.EqualTo(mixer is not (MlpMixerConfig or ConvolutionConfig or GatedConvolutionConfig or GruConfig or RnnConfig or RgLruConfig or Rwkv4Config or MambaConfig or NoneConfig) && !(mixer is ParallelConfig && !hasPattern)), at);
        }

        Assert.That(measured.SelectMany(m => m.Figures), Is.All.Matches<Figure>(f => f.Status != GeometryStatus.Ok || double.IsFinite(f.Value!.Value)));
        if (mixers.Length == 1 && measured.FirstOrDefault(m => m.Measure.Kind == "heads" && m.Place.Point == "blocks.1") is { } heads)
        {
            // What heads write together is what the mixer adds, by another way.
            double joint = ValueOf(heads, "jointDimension"), whole = ValueOf(measured.Single(m => m.Measure.Kind == "spectrum" && m.Place.Layer == 1), "participationRatio");
            Assert.That(joint, Is.EqualTo(whole).Within(0.1).Percent);
            double[] own = [.. measured.Where(m => m.Measure.Kind == "heads" && m.Place is { Scope: "head", Layer: 1 }).Select(m => ValueOf(m, "dimension"))];
            Assert.That(own, Is.All.InRange(0.999, 16));
            Assert.That(ValueOf(heads, "headDimensionSum"), Is.EqualTo(own.Sum()).Within(1e-9));
            Assert.That(ValueOf(heads, "meanAngle"), Is.InRange(ValueOf(heads, "smallestAngle"), 90.0));
        }
    }

    [Test]
    public void EvenAttentionIsKnown()
    {
        // Without queries every row is even.
        using var tiny = new TinyModel(ModelVariants.Base with { KvHeads = 2 }, Backend());
        foreach (Parameter parameter in tiny.Store.Parameters.Where(p => p.Name.EndsWith("q_proj.weight", StringComparison.Ordinal)))
        {
            Host.Write(tiny.Store, parameter, new double[parameter.Layout.Count]);
        }

        IReadOnlyList<Measured> measured = Run(tiny, s_measures);
        const int time = 16;
        double[][] even = [.. Enumerable.Range(0, time).Select(t => Enumerable.Range(0, time).Select(j => j <= t ? 1.0 / (t + 1) : 0).ToArray())];
        double? rank = AttentionGraph.EffectiveRank([.. even.SelectMany(row => row).Select(w => (float)w)], time);
        foreach (Measured graph in measured.Where(m => m.Measure.Kind == "attention-graph"))
        {
            Assert.That(ValueOf(graph, "keysFor90"), Is.EqualTo(Enumerable.Range(1, time).Average(t => Math.Ceiling((0.9 * t) - 1e-9))).Within(1e-6), graph.Place.Point);
            Assert.That(ValueOf(graph, "entropyShareWithoutSink"), Is.EqualTo(1).Within(1e-5));
            Assert.That(ValueOf(graph, "effectiveRank"), Is.EqualTo(rank).Within(1e-3));
        }

        foreach (Measured lags in measured.Where(m => m.Measure.Kind == "attention-lags"))
        {
            foreach (Figure mass in lags.Figures.Where(f => f.Name.StartsWith("mass.", StringComparison.Ordinal)))
            {
                Assert.That(mass.Value, Is.EqualTo(ValueOf(lags, "even" + char.ToUpperInvariant(mass.Name[0]) + mass.Name[1..])).Within(1e-6));
            }
        }

        Assert.That(measured.First(m => m.Measure.Kind == "query-key" && m.Place.Scope == "block").Figures[0].Status, Is.EqualTo(GeometryStatus.ZeroVariance));
    }

    [Test]
    public void FormsOfQueriesAndKeysThatAreTheSameAreSymmetric()
    {
        // Four heads with two of keys: each query head gets the weights of its keys.
        using var tiny = new TinyModel(ModelVariants.Base with { KvHeads = 2 }, Backend());
        Parameter query = tiny.Store["model.layers.0.self_attn.q_proj.weight"];
        double[] keys = [.. Host.Read(tiny.Store, tiny.Store["model.layers.0.self_attn.k_proj.weight"])];
        int head = 4 * 16;
        Host.Write(tiny.Store, query, [.. keys[..head], .. keys[..head].Select(v => -v), .. keys[head..], .. keys[head..]]);
        IReadOnlyList<Measured> measured = Run(tiny, [new QueryKeyMeasure()]);
        for (int h = 0; h < 4; h++)
        {
            Measured own = measured.Single(m => m.Place is { Scope: "head", Layer: 0 } && m.Place.Head == h);
            Assert.That(ValueOf(own, "symmetricShare"), Is.EqualTo(1).Within(1e-6));
            Assert.That(ValueOf(own, "traceShare"), Is.EqualTo(h == 1 ? -1 : 1).Within(1e-6));
            Assert.That(ValueOf(own, h == 1 ? "negativeEigenvalues" : "positiveEigenvalues"), Is.EqualTo(4));
        }
    }

    [Test]
    public void AnAdaptedOutputHasNoFiguresOfItsMatrix()
    {
        using var tiny = new TinyModel(ModelVariants.Base with { Adapters = [new LoraConfig { Rank = 2, Targets = ["o_proj"] }] }, Backend());
        IReadOnlyList<Measured> measured = Run(tiny, s_measures);
        Assert.That(measured.Any(m => m.Measure.Kind == "heads"), Is.False);
        Assert.That(measured.Any(m => m.Measure.Kind == "query-key"));
    }

    [TestCase(20, true)]
    [TestCase(0, false)]
    public void MixingOfStreamsThatIsDoublyStochasticDoesNotAmplify(int sinkhorn, bool isOne)
    {
        using var tiny = new TinyModel(ModelVariants.Base with { Residual = new HyperConnectionsConfig { Streams = 3, Sinkhorn = sinkhorn } }, Backend());
        foreach (Measured mixing in Run(tiny, [new StreamMixingMeasure()]))
        {
            double[] gains = [.. mixing.Figures.Where(f => f.Name.StartsWith("mixing", StringComparison.Ordinal)).Select(f => f.Value!.Value)];
            Assert.That(gains, Has.Length.EqualTo(5));
            Assert.That(gains, isOne ? Is.All.EqualTo(1).Within(5e-3) : Has.Some.GreaterThan(1.05));
            Assert.That(mixing.Figures.Count(f => f.Name.StartsWith("streamCosine.", StringComparison.Ordinal)), Is.EqualTo(3));
            Assert.That(ValueOf(mixing, "streamSpread"), Is.InRange(0, 1));
        }
    }

    [Test]
    public void ExpertsThatWriteApartAreAtRightAngles()
    {
        // Experts 0 and 1 write to the first eight elements, 2 and 3 to the others, each half in a plane of four of them.
        using var tiny = new TinyModel(ModelVariants.Base with { Layers = 1, FeedForward = new MoeConfig { Experts = 4, Active = 2, Hidden = 12, Activation = new ReluConfig() } }, Backend());
        Parameter down = tiny.Store["model.layers.0.mlp.experts.down_proj.weight"];
        Host.Write(tiny.Store, down, [.. Host.Read(tiny.Store, down).Select((v, i) => i / 12 % 16 / 8 == i / (12 * 16) / 2 && i / 12 % 8 < 4 ? v : 0)]);
        Measured measured = Run(tiny, [new ExpertSubspaceMeasure { Directions = 4 }]).Single();
        Assert.That(ValueOf(measured, "expertsCompared"), Is.EqualTo(4));
        Assert.That(ValueOf(measured, "smallestAngle"), Is.Zero.Within(1e-4), "two write to the same");
        Assert.That(ValueOf(measured, "subspaceOverlap"), Is.EqualTo(2 / 6.0).Within(1e-6), "two pairs of six");
        Assert.That(ValueOf(measured, "meanAngle"), Is.EqualTo(60).Within(1e-3));
    }

    [Test]
    public void ExpertsChosenByTheTokenArePure()
    {
        // Without mixers a token's expert is a function of it alone.
        using var tiny = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = new NoneConfig(), FeedForward = new MoeConfig { Experts = 4, Active = 1, Hidden = 12 } }, Backend());
        Measured measured = Run(tiny, [new ExpertPurityMeasure()]).Single();
        int[] tokens = Numbers.Integers("probe", 64, 0, 19);
        double entropy = -tokens.GroupBy(t => t).Sum(g => g.Count() / 64.0 * Math.Log(g.Count() / 64.0));
        double ofExperts = ValueOf(measured, "purityUncorrected.token") * entropy;
        Assert.That(ofExperts, Is.InRange(0.3, Math.Log(4)), "the information is all of the experts' entropy");
        Purity known = Purity.Measure(tokens, [.. tokens]);
        Assert.That(known.Uncorrected, Is.EqualTo(1).Within(1e-12));
        Assert.That(ValueOf(measured, "purity.token"), Is.GreaterThan(ValueOf(measured, "purityShuffled.token") + 0.1));
        Assert.That(measured.Figures.Select(f => f.Name), Is.SupersetOf(new[] { "purity.next", "purity.position" }));
    }

    [Test]
    public void AStateOfEqualKeysHasRankOne()
    {
        // Linear attention without projections of keys writes every value along the same key.
        using var tiny = new TinyModel(ModelVariants.Base with { Mixer = LinearAttentionConfig.Tiny }, Backend());
        foreach (Parameter parameter in tiny.Store.Parameters.Where(p => p.Name.EndsWith("k_proj.weight", StringComparison.Ordinal)))
        {
            Host.Write(tiny.Store, parameter, new double[parameter.Layout.Count]);
        }

        foreach (Measured measured in Run(tiny, [new StateMeasure()]))
        {
            Assert.That(ValueOf(measured, "stateRank"), Is.EqualTo(1).Within(1e-4));
            Assert.That(ValueOf(measured, "stateDimension"), Is.EqualTo(1).Within(1e-6));
            Assert.That(ValueOf(measured, "stateRankMost"), Is.EqualTo(4));
        }
    }

    [Test]
    public void DecaysSayHowLongAStateLasts()
    {
        // Decays of gated linear attention from nothing but a bias: σ(b)^(1/16) for every token.
        using var tiny = new TinyModel(ModelVariants.Base with { Mixer = GatedLinearAttentionConfig.Tiny }, Backend());
        foreach (Parameter parameter in tiny.Store.Parameters.Where(p => p.Name.Contains("gk_proj.1.", StringComparison.Ordinal)))
        {
            Host.Write(tiny.Store, parameter, [.. Enumerable.Repeat(parameter.Name.EndsWith("bias", StringComparison.Ordinal) ? 2.0 : 0, (int)parameter.Layout.Count)]);
        }

        foreach (Measured measured in Run(tiny, [new StateMeasure()]))
        {
            Assert.That(ValueOf(measured, "timescale"), Is.EqualTo(16 / Math.Log(1 + Math.Exp(-2))).Within(0.01).Percent);
            Assert.That(ValueOf(measured, "timescaleShort"), Is.EqualTo(ValueOf(measured, "timescaleLong")).Within(0.01).Percent);
            Assert.That(Enumerable.Range(1, 3).Sum(k => ValueOf(measured, $"trajectoryShare.{k}")), Is.InRange(0.2, 1.0));
        }
    }

    [Test]
    public void DecaysOfChannelsSayHowLongTheirMeansLast()
    {
        using var tiny = new TinyModel(ModelVariants.Base with { Mixer = Rwkv4Config.Tiny }, Backend());
        foreach (Parameter parameter in tiny.Store.Parameters.Where(p => p.Name.EndsWith("self_attn.decay", StringComparison.Ordinal)))
        {
            Host.Write(tiny.Store, parameter, [.. Enumerable.Repeat(-2.0, (int)parameter.Layout.Count)]);
        }

        foreach (Measured measured in Run(tiny, [new StateMeasure()]))
        {
            Assert.That(ValueOf(measured, "timescale"), Is.EqualTo(Math.Exp(2)).Within(0.01).Percent);
            Assert.That(Enumerable.Range(1, 3).Sum(k => ValueOf(measured, $"trajectoryShare.{k}")), Is.InRange(0.2, 1.0));
        }
    }

    [Test]
    public void ArraysStandBesideFigures()
    {
        using var tiny = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = new ParallelConfig { Mixers = [new AttentionConfig(), GruConfig.Tiny] }, FeedForward = MoeConfig.Tiny }, Backend());
        Measure[] measures = [new AttentionGraphMeasure(), new HeadOutputMeasure { Directions = 3 }, new StateMeasure(), new ExpertSubspaceMeasure { Directions = 2 }];
        ProbeShape shape = ProbeShape.Of(64, 60, tiny.Time);
        using var probe = new GeometryProbe(tiny.Model, new RandomTokens(19, 1), shape, measures);
        int[] tokens = Numbers.Integers("probe", 64, 0, 19);
        probe.Read(tokens, new int[64]);
        var arrays = new Dictionary<string, FigureArray>();
        probe.Run(1, [0, 1, 2, 3], (_, placed) =>
        {
            var figures = new FigureWriter(wantsArrays: true);
            placed.Take(figures);
            foreach (FigureArray array in figures.Arrays)
            {
                arrays.Add($"{placed.Place.Point} {array.Name}", array);
            }
        }, () => true);
        var pattern = (float[])arrays["blocks.0.mixers.0 pattern"].Values;
        Assert.That(arrays["blocks.0.mixers.0 pattern"].Shape, Is.EqualTo(new[] { 4, 16, 16 }));
        Assert.That(pattern.Chunk(16).Select(row => row.Sum()), Is.All.EqualTo(1).Within(1e-5));
        Assert.That(pattern.Where((_, i) => i % 16 > i / 16 % 16), Is.All.Zero);
        Assert.That(arrays["blocks.0.mixers.0 tokens"].Values, Is.EqualTo(tokens[..16]));
        Assert.That(arrays["blocks.0.mixers.0 angles"].Shape, Is.EqualTo(new[] { 6, 3 }));
        Assert.That((double[])arrays["blocks.0.mixers.0 angles"].Values, Is.All.InRange(0, Math.PI / 2));
        Assert.That(arrays["blocks.0.mixers.1 trajectory"].Shape, Is.EqualTo(new[] { 4, 16, 3 }));
        float[][] way = [.. ((float[])arrays["blocks.0.mixers.1 trajectory"].Values).Chunk(3)];
        Assert.That(Enumerable.Range(0, 3).Select(k => way.Average(at => at[k])), Is.All.Zero.Within(1e-5), "centered");
        Assert.That(way.Sum(at => at[0] * at[0]), Is.GreaterThan(way.Sum(at => at[1] * at[1])));
        var experts = (int[])arrays["blocks.0 experts"].Values;
        Assert.That(arrays["blocks.0 overlap"].Shape, Is.EqualTo(new[] { experts.Length, experts.Length }));
        Assert.That(experts, Is.Ordered.And.Unique.And.All.InRange(0, 3));
    }

    private static double ValueOf(Measured measured, string figure) => measured.Figures.Single(f => f.Name == figure).Value!.Value;

    private static IReadOnlyList<Measured> Run(TinyModel tiny, IReadOnlyList<Measure> measures)
    {
        ProbeShape shape = ProbeShape.Of(64, 60, tiny.Time);
        using var probe = new GeometryProbe(tiny.Model, new RandomTokens(tiny.Model.Config.Vocab, 1), shape, measures);
        int[] tokens = Numbers.Integers("probe", shape.Tokens, 0, tiny.Model.Config.Vocab);
        probe.Read(tokens, new int[tokens.Length]);
        using var recorder = new GeometryRecorder(probe, new GeometryConfig { Every = 1 }, shape.Tokens);
        recorder.Measure(1, 1, isLast: false);
        return recorder.Latest;
    }
}
