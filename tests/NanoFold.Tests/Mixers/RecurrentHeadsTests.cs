using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers;

/// <summary>Mixers with a matrix as state of each head.</summary>
public class RecurrentHeadsTests : EngineTests
{
    private static readonly MixerConfig[] s_kinds =
    [
        LinearAttentionConfig.Tiny, RetentionConfig.Tiny, GatedLinearAttentionConfig.Tiny, DeltaNetConfig.Tiny, GatedDeltaNetConfig.Tiny, Mamba2Config.Tiny,
    ];

    private static IEnumerable<TestCaseData> Kinds => s_kinds.Select(m => new TestCaseData(m).SetArgDisplayNames(m.Kind));

    [TestCaseSource(nameof(Kinds))]
    public void DecodingPastManyChunksIsTheFullPass(MixerConfig mixer)
    {
        ModelConfig config = ModelVariants.Base with { Layers = 1, Context = 200, Mixer = mixer };
        using var model = new TinyModel(config, Backend());
        double[] whole = model.Logits(model.Tokens);
        double tolerance = 1e-5 * MixerReference.SensitivityOf(config);
        foreach (int chunk in new[] { 1, 70 })
        {
            using var decoding = new Decoding(model, chunk);
            Numbers.AssertClose(decoding.Run((b, call) => chunk == 1 ? 1 : (b + call) % 3 * 35), whole, tolerance, $"up to {chunk} at a time");
        }
    }

    [TestCaseSource(nameof(Kinds))]
    public void WhatDecodingKeepsDoesNotGrow(MixerConfig mixer)
    {
        long Bytes(int context) => CostModel.Of(ModelVariants.Base with { Context = context, Mixer = mixer }).CacheBytesPerSequence;
        Assert.That(Bytes(4096), Is.EqualTo(Bytes(16)));
    }

    [TestCaseSource(nameof(Kinds))]
    public void WorkIsLinearInTheContext(MixerConfig mixer)
    {
        double Flops(int context) => MixerFlops(ModelVariants.Base with { Layers = 1, Width = 32, Context = context, Mixer = mixer });
        // The first chunk finds no state: the longer text has twice as many chunks that do, and some more.
        Assert.That(Flops(4096) / Flops(2048), Is.EqualTo(2).Within(0.05));
    }

    [Test]
    public void TheLastStateIsWhatDecodingKeeps()
    {
        using var model = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = GatedDeltaNetConfig.Tiny }, Backend());
        const string Point = "blocks.0.attn.hook_final_state";
        var collector = new Collector(Point);
        _ = model.Logits(model.Tokens, taps: new Engine.Autograd.TapSet([collector]));
        using var decoding = new Decoding(model, 3);
        _ = decoding.Run((_, _) => 3);
        View state = new Tape(Backend()) is { } tape ? tape.Values[decoding.Cache.Use(tape, 0, "state").Id].External : default;
        Numbers.AssertClose(Host.Read(Backend(), state), collector[Point], 1e-5, "state");
    }

    /// <summary>Without a cap gates may be so far below 0 that e to the power of what is taken out is no float.</summary>
    [Test]
    public void GatesThatAreNearlyShutHaveFiniteGradients()
    {
        using var model = new TinyModel(ModelVariants.Base with { Layers = 1, Mixer = new MlstmConfig { GateCap = 0 } }, Backend());
        foreach (string gate in new[] { "i_proj.bias", "f_proj.bias" })
        {
            Parameter bias = model.Store[$"model.layers.0.self_attn.{gate}"];
            Host.Write(model.Store, bias, [.. Enumerable.Repeat(-200.0, (int)bias.Layout.Count)]);
        }

        (double loss, double[] gradients) = model.Train();
        Assert.That(gradients.Append(loss), Is.All.Matches<double>(double.IsFinite));
    }

    [Test]
    public void RatesAndStepsStartAsPublished()
    {
        using var model = new Transformer(ModelVariants.Base with { Width = 512, Heads = 64, Mixer = new GatedDeltaNetConfig() }, Backend(), seed: 5);
        double[] rates = Values("A_log", Math.Exp), steps = Values("dt_bias", x => Math.Log(1 + Math.Exp(x)));
        Assert.That(rates, Is.All.InRange(0, 16).And.Some.GreaterThan(12).And.Some.LessThan(4));
        Assert.That(steps, Is.All.InRange(0.00099, 0.101).And.Some.GreaterThan(0.03).And.Some.LessThan(0.003));

        double[] Values(string name, Func<double, double> of) => Array.ConvertAll(Host.Read(model.Store, model.Store[$"model.layers.0.self_attn.{name}"]), x => of(x));
    }

    [Test]
    public void ShapesThatDoNotFitAreRefusedInOneLine()
    {
        string[] Problems(ModelConfig model) => [.. model.Validate("model").Select(problem => $"{problem.Path}: {problem.Message}")];
        ModelConfig model = ModelVariants.Base;
        Assert.That(Problems(model with { Mixer = new GatedDeltaNetConfig { KeyHeads = 3 } }), Is.EqualTo(new[] { "model.mixer.keyHeads: 3 does not divide model.heads = 4" }));
        Assert.That(
            Problems(model with { Mixer = new GatedDeltaNetConfig { KeyHeads = 2, KvHeads = 2 } }),
            Is.EqualTo(new[] { "model.mixer.keyHeads: cannot be set beside model.mixer.kvHeads: values then have all heads" }));
        Assert.That(Problems(model with { KvHeads = 3, Mixer = new DeltaNetConfig() }), Is.EqualTo(new[] { "model.kvHeads: 3 does not divide model.heads = 4" }));
        Assert.That(
            Problems(model with { Mixer = new RetentionConfig { HeadDim = 5 } }),
            Is.EqualTo(new[] { "model.mixer.headDim: 5 is odd; the rotary positions of retention need an even one" }));
        Assert.That(
            Problems(model with { Mixer = new Mamba2Config { SsmHeads = 5 } }),
            Is.EqualTo(new[] { "model.mixer.ssmHeads: 5 does not divide the 32 channels, model.mixer.expand times the model's width" }));
        Assert.That(
            Problems(model with { Mixer = new Mamba2Config { SsmHeads = 4, Groups = 3, StepMin = 0.2, StepMax = 0.1 } }),
            Is.EqualTo(new[] { "model.mixer.groups: 3 does not divide the 4 heads", "model.mixer.stepMin: 0.2 is more than model.mixer.stepMax = 0.1" }));
    }

    [TestCase(16, 1)]
    [TestCase(128, 4)]
    [TestCase(100, 4)]
    public void HeadsOfMamba2HaveAtMost64Channels(int width, int heads)
        => Assert.That(new Mamba2Config().HeadsFor(ModelVariants.Base with { Width = width }), Is.EqualTo(heads));

    // Of a forward pass, by a dry run.
    private static double MixerFlops(ModelConfig config)
    {
        using var dry = new DryRun();
        using var transformer = new Transformer(config, dry.Backend);
        var tape = new Tape(dry.Backend);
        Layout layout = Layout.Of(1, config.Context);
        transformer.RecordLogits(tape, tape.External("tokens", new View(dry.Backend.Allocate(layout.Count * sizeof(int)), 0, layout, DType.Int32)));
        return dry.Of(new Plan(tape)).Sum(call => call.Cost.Flops);
    }
}
