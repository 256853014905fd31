using NanoFold.Engine;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments.Scaling;

/// <summary>A width decides about heads, layers and hidden.</summary>
public class ModelFamilyTests
{
    [TestCase("32", 32, 1, 1, 1)]
    [TestCase("64", 64, 2, 2, 2)]
    [TestCase("128", 128, 4, 4, 4)]
    [TestCase("256", 256, 8, 8, 8)]
    [TestCase("64x3", 64, 3, 2, 2)]
    [TestCase("100", 100, 3, 2, 2)]
    [TestCase("small", 384, 6, 12, 12)]
    public void SizesOfNano(string text, int width, int layers, int heads, int kvHeads)
    {
        ModelFamily family = Family();
        ModelConfig model = family.At(family.Parse(text)).Model;
        Assert.That((model.Width, model.Layers, model.Heads, model.KvHeads), Is.EqualTo((width, layers, heads, kvHeads)));
        Assert.That((model.HeadDim * model.Heads, model.Hidden), Is.EqualTo((width, model.FeedForward.DefaultHidden(width))));
    }

    [Test]
    public void WhatWasGivenKeepsItsRatio()
    {
        // Heads that are wider than the stream, fewer heads of keys, a hidden width of its own, and a pattern of two layers.
        ModelFamily family = Family("model.heads=8", "model.headDim=32", "model.kvHeads=2", "model.hidden=512", "model.pattern=attention, mamba2");
        ModelConfig half = family.At(family.OfWidth(64)).Model, odd = family.At(family.OfWidth(96)).Model;
        Assert.That((half.Layers, half.Heads, half.HeadDim, half.KvHeads, half.Hidden), Is.EqualTo((2, 4, 32, 1, 256)));
        Assert.That((odd.Layers, odd.Heads, odd.HeadDim, odd.Hidden), Is.EqualTo((4, 6, 32, 384)));
        Assert.That(family.At(family.OfWidth(128)).ToJson(), Is.EqualTo(family.Recipe.ToJson()), "the recipe's own size is the recipe");
    }

    [TestCase("tiny")]
    [TestCase("64x")]
    [TestCase("-3")]
    [TestCase("0")]
    public void WhatIsNoSizeIsRefused(string text) =>
        Assert.That(() => Family().Parse(text), Throws.TypeOf<UserException>().With.Message.Contains($"'{text}' is no size"));

    internal static ModelFamily Family(params string[] settings) =>
        new(more => more.Aggregate(settings.Aggregate(new ConfigTree().Set("tokenizer=byte"), (tree, setting) => tree.Set(setting)), (tree, setting) => tree.Set(setting)).Build());
}
