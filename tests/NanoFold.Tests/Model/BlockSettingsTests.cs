using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

/// <summary>Where norms stand, what reads the stream together, and the ends of a model; their numbers are held against plain ones in the suites of models.</summary>
public class BlockSettingsTests : EngineTests
{
    private static ModelConfig Small => ModelVariants.Base with { Layers = 1 };

    [TestCase(NormPlaceKind.Pre, ParallelKind.None, "input post_attention")]
    [TestCase(NormPlaceKind.Post, ParallelKind.None, "post_attention post_feedforward")]
    [TestCase(NormPlaceKind.Sandwich, ParallelKind.None, "input post_attention pre_feedforward post_feedforward")]
    [TestCase(NormPlaceKind.Pre, ParallelKind.TwoNorms, "input post_attention")]
    [TestCase(NormPlaceKind.Pre, ParallelKind.OneNorm, "input")]
    [TestCase(NormPlaceKind.Sandwich, ParallelKind.OneNorm, "input post_attention post_feedforward")]
    public void NormsHaveTheNamesOfTransformers(NormPlaceKind place, ParallelKind parallel, string names)
    {
        ModelConfig model = Small with { NormPlace = place, Parallel = parallel };
        IEnumerable<string> found = CostModel.ParameterNames(model).Where(name => name.Contains("layernorm")).Select(name => name["model.layers.0.".Length..^"_layernorm.weight".Length]);
        Assert.That(found, Is.EqualTo(names.Split(' ')));
        Assert.That(CostModel.Of(model).Norms, Is.EqualTo(model.Width * (names.Split(' ').Length + 1)));
    }

    /// <summary>A layer with nothing beside its only sub-block is the same whatever stands in model.parallel.</summary>
    [Test]
    public void ALayerWithOneSubBlockHasNothingBesideIt()
    {
        ModelConfig alone = Small with { Mixer = new NoneConfig() };
        Assert.That(CostModel.ParameterNames(alone with { Parallel = ParallelKind.OneNorm }), Is.EqualTo(CostModel.ParameterNames(alone)));
    }

    [Test]
    public void GainsFromOneBeginAsGainsOfOne()
    {
        ModelConfig config = Small with { NormPlace = NormPlaceKind.Sandwich, QkNorm = true, Norm = NormKind.Layer };
        CpuBackend backend = Backend();
        using TinyModel of = new(config, backend, perturbed: false), from = new(config with { NormGainFromOne = true }, backend, perturbed: false);
        Numbers.AssertSameBits(from.Logits(from.Tokens), of.Logits(of.Tokens), "logits");
        Assert.That(Host.Find(from.Store, "model.norm.weight"), Is.All.Zero);
        Numbers.AssertSameBits(from.Train().Gradients, of.Train().Gradients, "gradients");
    }

    [Test]
    public void LogitsAreScaledShiftedAndLevelOff()
    {
        ModelConfig config = Small with { HeadBias = true, Parametrization = new MupConfig { BaseWidth = 8, BaseHeadDim = 4 } };
        CpuBackend backend = Backend();
        using TinyModel plain = new(config, backend), scaled = new(config with { LogitScale = 0.25 }, backend), capped = new(config with { LogitCap = 0.5 }, backend);
        double[] bias = Host.Find(plain.Store, "lm_head.bias")!, logits = plain.Logits(plain.Tokens);
        Assert.That(bias, Has.Some.Not.Zero);
        // The bias is a part of its own: neither the factor nor the width's ratio reaches it.
        Numbers.AssertClose(scaled.Logits(plain.Tokens), [.. logits.Select((l, i) => ((l - bias[i % bias.Length]) / 4) + bias[i % bias.Length])], 1e-5, "scaled");
        Numbers.AssertClose(capped.Logits(plain.Tokens), [.. logits.Select(l => 0.5 * Math.Tanh(l / 0.5))], 1e-5, "capped");
        Assert.That(CostModel.Of(config).Head, Is.EqualTo((config.Width + 1) * config.Vocab));
        Assert.That(CostModel.Of(config with { Tied = true }).Head, Is.EqualTo(config.Vocab));
    }

    [Test]
    public void BiasesOfFeedForwardsAreTheirOwn()
    {
        long Of(ModelConfig model) => CostModel.Of(model).FeedForward - CostModel.Of(Small).FeedForward;
        Assert.That(Of(Small with { FeedForwardBias = true }), Is.EqualTo((2 * Small.Hidden) + Small.Width));
        Assert.That(Of(Small with { Bias = true, FeedForwardBias = false }), Is.Zero);
        Assert.That(Of(Small with { FeedForward = new MoeConfig { Experts = 2, Shared = 1, DenseLayers = 0 } }), Is.EqualTo(Of(Small with { FeedForward = new MoeConfig { Experts = 2, Shared = 1 }, FeedForwardBias = true }) - (2 * Small.Hidden) - Small.Width));
    }

    [Test]
    public void WhatDoesNotGoTogetherIsSaid()
    {
        string[] Of(ModelConfig model) => [.. model.Validate("model").Select(problem => $"{problem.Path} {problem.Message}")];
        Assert.That(Of(Small with { NormPlace = NormPlaceKind.Post, Parallel = ParallelKind.OneNorm }), Is.EqualTo(new[]
        {
            "model.parallel there is no norm to share where model.normPlace is post; use two-norms, or pre or sandwich",
        }));
        Assert.That(Of(Small with { Outputs = 3, HeadBias = true, LogitScale = 2, LogitCap = 3 }), Is.EqualTo(new[]
        {
            "model.headBias is of a head over the vocabulary, in whose place there is a read-out: model.outputs = 3",
            "model.logitScale is of a head over the vocabulary, in whose place there is a read-out: model.outputs = 3",
            "model.logitCap is of a head over the vocabulary, in whose place there is a read-out: model.outputs = 3",
        }));
        Assert.That(Of(Small with { Inputs = 2, EmbeddingScale = 3 }), Is.EqualTo(new[] { "model.embeddingScale is of tokens that are looked up; model.inputs = 2 are read in" }));
    }
}
