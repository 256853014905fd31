using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;

namespace NanoFold.Tests.Model;

public class ModelConfigTests
{
    [TestCase(128, 344)]
    [TestCase(384, 1024)]
    [TestCase(768, 2048)]
    [TestCase(4, 8)]
    public void AGatedHiddenWidthIsEightThirdsInMultiplesOfEight(int width, int hidden)
        => Assert.That(new ModelConfig { Width = width }.Resolve().Hidden, Is.EqualTo(hidden));

    [Test]
    public void EachKindHasItsUsualWidthUnlessTheModelOrItselfSays()
    {
        var relu = new ReluConfig();
        var moe = new MoeConfig { Activation = new GeluConfig() };
        BlockConfig[] pattern = [new(), new() { FeedForward = relu }, new() { FeedForward = moe }, new() { FeedForward = relu with { Hidden = 5 } }];

        Assert.That(Hidden(new ModelConfig { Pattern = pattern }), Is.EqualTo(new[] { 344, 512, 512, 5 }));
        Assert.That(Hidden(new ModelConfig { Pattern = pattern, Hidden = 99 }), Is.EqualTo(new[] { 99, 99, 99, 5 }));

        static int[] Hidden(ModelConfig model) => [.. model.Resolve().LayerConfigs().Select(layer => layer.FeedForward.Hidden)];
    }

    [Test]
    public void WindowsScaleWithTheContext()
    {
        Assert.That(new SlidingWindowConfig().Resolve(new ModelConfig { Context = 256 }).Window, Is.EqualTo(64));
        Assert.That(new SlidingWindowConfig().Resolve(new ModelConfig { Context = 2 }).Window, Is.EqualTo(1));
        Assert.That(new TopKConfig().Resolve(new ModelConfig { Context = 256 }).TopK, Is.EqualTo(32));
        Assert.That(new TopKConfig().Resolve(new ModelConfig { Context = 4 }).TopK, Is.EqualTo(1));
    }

    [Test]
    public void HeadsNeedNotFillTheWidth()
    {
        ModelConfig model = new ModelConfig { Width = 130, Heads = 4, HeadDim = 16 }.Resolve();

        Assert.That(model.Validate("model"), Is.Empty);
        Assert.That(CostModel.Of(model with { Vocab = 1 }).Mixer, Is.EqualTo(model.Layers * 4 * 130 * 64));
    }

    [Test]
    public void EveryRegisteredVariantIsWholeAndMakesSenseAtAContextOf16()
    {
        var model = new ModelConfig { Width = 16, Heads = 4, Context = 16, Vocab = 20 };
        Variant[] variants = [.. Variant.Of<MixerConfig>(), .. Variant.Of<FeedForwardConfig>(), .. Variant.Of<ResidualConfig>()];

        Assert.That(variants.Select(variant => variant.Kind), Is.SupersetOf(new[] { "attention", "sliding-window", "gated-attention", "top-k", "swiglu", "moe" }));
        foreach (Variant variant in variants)
        {
            object? tiny = variant.Type.GetProperty("Tiny")?.GetValue(null);
            Assert.That(tiny, Is.InstanceOf(variant.Type), $"{variant.Type.Name} needs a static Tiny");
            (ModelConfig with, string kind) = tiny switch
            {
                MixerConfig mixer => (model with { Mixer = mixer }, mixer.Kind),
                FeedForwardConfig feedForward => (model with { FeedForward = feedForward }, feedForward.Kind),
                _ => (model with { Residual = (ResidualConfig)tiny! }, ((ResidualConfig)tiny!).Kind),
            };
            Assert.That(with.Validate("model"), Is.Empty, variant.Kind);
            CostModel cost = CostModel.Of(with);
            Assert.That(cost.Parameters, Is.GreaterThan(0), variant.Kind);
            Assert.That(CostModel.FlopsPerToken(with), Is.Positive, variant.Kind);
            Assert.That(CostModel.FlopsPerToken(with, new NameGlobs("head", ["lm_head.weight"])), Is.Positive.And.LessThan(CostModel.FlopsPerToken(with)), $"{variant.Kind}, the head alone trained");
            Assert.That(kind, Is.EqualTo(variant.Kind));
        }
    }
}
