using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Heads;

/// <summary>Measures of parts that record passes of their own.</summary>
public class NetworkMeasureTests : EngineTests
{
    [Test]
    public void EvenAttentionDependsOnAllTokensAlike()
    {
        // Without queries J = W_O W_V / (t + 1) for every token, half of the heads sharing values.
        using var tiny = new TinyModel(ModelVariants.Base with { KvHeads = 2, Dropout = 0.5 }, Backend());
        Write(tiny, "q_proj.weight", (_, _) => 0);
        foreach (Measured block in Run(tiny, new GradientLagMeasure { Rounds = 64 }))
        {
            double[] gains = [.. new[] { 0, 1, 2, 4 }.Select(lag => ValueOf(block, $"gain.{lag}")!.Value)];
            Assert.That(gains, Is.All.EqualTo(gains[0]).Within(1e-3).Percent);
            double[] output = Weights(tiny, block.Place.Layer!.Value, "o_proj.weight"), value = Weights(tiny, block.Place.Layer.Value, "v_proj.weight");
            double squares = 0;
            for (int i = 0; i < 256; i++)
            {
                // Head h of W_O's columns reads values of head h / 2.
                double sum = Enumerable.Range(0, 16).Sum(k => output[(i / 16 * 16) + k] * value[(((k / 8 * 4) + (k % 4)) * 16) + (i % 16)]);
                squares += sum * sum;
            }

            double expected = Math.Sqrt(squares / 16 * Enumerable.Range(8, 8).Average(t => 1.0 / ((t + 1) * (t + 1))));
            Assert.That(gains[0], Is.EqualTo(expected).Within(10).Percent);
            Assert.That(ValueOf(block, "timescale"), Is.Null.Or.GreaterThan(1000));
        }
    }

    [Test]
    public void AnExponentialMemoryHasItsTimescale()
    {
        // h ← 0.8 h + W x where tanh is as good as its argument.
        using var tiny = new TinyModel(ModelVariants.Base with { Mixer = RnnConfig.Tiny }, Backend());
        Write(tiny, "self_attn.in_proj.weight", (i, v) => 1e-3 * v);
        Write(tiny, "self_attn.h_proj.weight", (i, _) => i / 16 == i % 16 ? 0.8 : 0);
        Write(tiny, "self_attn.h_proj.bias", (_, _) => 0);
        foreach (Measured block in Run(tiny, new GradientLagMeasure { Rounds = 2 }))
        {
            Assert.That(ValueOf(block, "timescale"), Is.EqualTo(-1 / Math.Log(0.8)).Within(0.1).Percent);
            Assert.That(ValueOf(block, "gain.2") / ValueOf(block, "gain.0"), Is.EqualTo(0.64).Within(0.1).Percent);
        }
    }

    [Test]
    public void EveryKindHasGainsByLag()
    {
        foreach (MixerConfig mixer in ModelVariants.Mixers.Where(m => m is MambaConfig or GatedDeltaNetConfig or NsaConfig or DsaConfig or LatentAttentionConfig or ConvolutionConfig or ParallelConfig))
        {
            using var tiny = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = mixer }, Backend());
            Measured measured = Run(tiny, new GradientLagMeasure { Rounds = 1 }).Single();
            Assert.That(measured.Figures.Where(f => f.Name.StartsWith("gain.", StringComparison.Ordinal)), Is.Not.Empty.And.All.Matches<Figure>(f => f.Value >= 0), mixer.Kind);
            Assert.That(ValueOf(measured, "gain.0"), Is.GreaterThan(0), mixer.Kind);
            // A convolution over three tokens reaches no further.
            Assert.That(mixer is ConvolutionConfig ? ValueOf(measured, "gain.4") : 0, Is.Zero);
        }

        using var without = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = new NoneConfig() }, Backend());
        Assert.That(Run(without, new GradientLagMeasure()), Is.Empty);
    }

    /// <summary>A feed-forward that reads the same normed stream is no part of what goes back through the mixer.</summary>
    [Test]
    public void AFeedForwardBesideAMixerIsNoPartOfIt()
    {
        using TinyModel after = new(ModelVariants.Base with { Layers = 1 }, Backend()), beside = new(ModelVariants.Base with { Layers = 1, Parallel = ParallelKind.OneNorm }, Backend());
        foreach (string name in new[] { "q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight" })
        {
            Assert.That(Weights(beside, 0, name), Is.EqualTo(Weights(after, 0, name)));
        }

        double?[] gains = [.. new[] { after, beside }.Select(tiny => ValueOf(Run(tiny, new GradientLagMeasure()).Single(), "gain.1"))];
        Assert.That(gains[1], Is.GreaterThan(0).And.EqualTo(gains[0]).Within(1e-4).Percent);
        using var without = new TinyModel(ModelVariants.Base with { Layers = 1, NormPlace = NormPlaceKind.Post }, Backend());
        Assert.That(Run(without, new GradientLagMeasure()), Is.Empty);
    }

    [Test]
    public void WhatGatesDoToAnUpdate()
    {
        using var tiny = new TinyModel(ModelVariants.Base with { Mixer = new GatedAttentionConfig() }, Backend());
        IReadOnlyList<Measured> trained = Run(tiny, new GateUpdateMeasure { Neighborhood = 4 });
        Assert.That(trained.Select(m => m.Place), Is.EqualTo(Enumerable.Range(0, 2).Select(i => new FigurePlace("block", $"blocks.{i}", i))));
        foreach (Measured block in trained)
        {
            Assert.That(ValueOf(block, "normalShareByChance"), Is.EqualTo(0.75));
            Assert.That(ValueOf(block, "updateKept"), Is.InRange(0.2, 0.8), "gates begin near a half");
            Assert.That(ValueOf(block, "normalShareChange"), Is.EqualTo(ValueOf(block, "normalShareAfter") - ValueOf(block, "normalShareBefore")).Within(1e-9));
        }

        using var headwise = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = new GatedAttentionConfig { Gate = GatePosition.Output } }, Backend());
        Write(headwise, "gate_proj.weight", (_, _) => 0);
        Measured even = Run(headwise, new GateUpdateMeasure { Neighborhood = 4 }).Single();
        Assert.That(ValueOf(even, "updateKept"), Is.EqualTo(0.5).Within(1e-6), "half of every element");
        Assert.That(ValueOf(even, "normalShareChange"), Is.Zero.Within(1e-6), "which does not turn it");

        using var recurrent = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = RetentionConfig.Tiny }, Backend());
        Write(recurrent, "g_proj.weight", (_, _) => 0);
        Assert.That(ValueOf(Run(recurrent, new GateUpdateMeasure { Neighborhood = 4 }).Single(), "updateKept"), Is.Zero.Within(1e-6), "silu(0) closes everything");
        using var plain = new TinyModel(ModelVariants.Base, Backend());
        Assert.That(Run(plain, new GateUpdateMeasure()), Is.Empty);
    }

    /// <summary>A gate whose matrix is 0 lets half of everything pass where it is a sigmoid, and nothing elsewhere.</summary>
    [TestCaseSource(nameof(Gated))]
    public void GatesAreOpenedByTheirOwnActivation(MixerConfig mixer, string matrix, double kept)
    {
        using var tiny = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = mixer }, Backend());
        Write(tiny, matrix, (_, _) => 0);
        Assert.That(ValueOf(Run(tiny, new GateUpdateMeasure { Neighborhood = 4 }).Single(), "updateKept"), Is.EqualTo(kept).Within(1e-6));
    }

    private static IEnumerable<TestCaseData> Gated =>
        new (MixerConfig Mixer, string Matrix, double Kept)[]
        {
            (MlstmConfig.Tiny, "g_proj.weight", 0.5), (LightningAttentionConfig.Tiny, "g_proj.weight", 0.5), (Rwkv4Config.Tiny, "r_proj.weight", 0.5),
            (RgLruConfig.Tiny, "y_proj.weight", 0), (GatedDeltaNetConfig.Tiny, "g_proj.weight", 0), (ConvolutionConfig.Tiny, "g_proj.weight", 0),
        }.Select(gated => new TestCaseData(gated.Mixer, gated.Matrix, gated.Kept).SetArgDisplayNames(gated.Mixer.Kind));

    [Test]
    public void BoundariesAreToldFromTheRest()
    {
        using var tiny = new TinyModel(ModelVariants.Base with { Mixer = new GatedAttentionConfig() }, Backend());
        IReadOnlyList<Measured> measured = Run(tiny, new BoundaryMeasure(), (i, time) => (i / time * 2) + (i % time >= 6 ? 1 : 0));
        foreach (Measured block in measured)
        {
            int rows = 64 / tiny.Time;
            Assert.That(block.Figures.Single(f => f.Name == "degreesAtBoundary").Points, Is.EqualTo(2 * rows));
            Assert.That(block.Figures.Single(f => f.Name == "degreesElsewhere").Points, Is.EqualTo(rows * (tiny.Time - 5)));
            Assert.That(block.Figures.Single(f => f.Name == "gateAtBoundary").Points, Is.EqualTo(rows));
            Assert.That(block.Figures.Single(f => f.Name == "gateElsewhere").Points, Is.EqualTo(rows * (tiny.Time - 2)), "position 0 is left out");
            Assert.That(ValueOf(block, "degreesDifference"), Is.EqualTo(ValueOf(block, "degreesAtBoundary") - ValueOf(block, "degreesElsewhere")).Within(1e-12));
            Assert.That(ValueOf(block, "gateElsewhere"), Is.InRange(0, 1));
        }

        Assert.That(Run(tiny, new BoundaryMeasure())[0].Figures[0].Status, Is.EqualTo(GeometryStatus.TooFewPoints), "one document without text has no beginnings");
    }

    private static double? ValueOf(Measured measured, string figure) => measured.Figures.Single(f => f.Name == figure).Value;

    private static double[] Weights(TinyModel tiny, int layer, string name) => Host.Read(tiny.Store, tiny.Store[$"model.layers.{layer}.self_attn.{name}"]);

    private static void Write(TinyModel tiny, string name, Func<int, double, double> value)
    {
        foreach (Parameter parameter in tiny.Store.Parameters.Where(p => p.Name.EndsWith(name, StringComparison.Ordinal)))
        {
            Host.Write(tiny.Store, parameter, [.. Host.Read(tiny.Store, parameter).Select((v, i) => value(i, v))]);
        }
    }

    private static IReadOnlyList<Measured> Run(TinyModel tiny, Measure measure, Func<int, int, int>? documents = null)
    {
        ProbeShape shape = ProbeShape.Of(64, 60, tiny.Time);
        using var probe = new GeometryProbe(tiny.Model, new RandomTokens(tiny.Model.Config.Vocab, 1), shape, [measure]);
        int[] tokens = Numbers.Integers("probe", shape.Tokens, 0, tiny.Model.Config.Vocab);
        probe.Read(tokens, [.. Enumerable.Range(0, tokens.Length).Select(i => documents?.Invoke(i, tiny.Time) ?? i / tiny.Time)]);
        probe.Network = probe.NewNetwork(3, null);
        using var recorder = new GeometryRecorder(probe, new GeometryConfig { Every = 1 }, shape.Tokens);
        recorder.Measure(1, 1, isLast: false);
        return recorder.Latest;
    }
}
