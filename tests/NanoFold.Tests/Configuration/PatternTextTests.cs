using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Configuration;

/// <summary>Patterns that are written as one text, and mixers beside each other.</summary>
public class PatternTextTests
{
    [Test]
    public void ATextNamesLayersOneAfterTheOther()
    {
        IReadOnlyList<LayerConfig> layers = Layers("model.layers=4", "model.pattern=sliding-window*3, attention/moe");

        Assert.That(layers.Select(layer => layer.Mixer.Kind), Is.EqualTo(new[] { "sliding-window", "sliding-window", "sliding-window", "attention" }));
        Assert.That(layers.Select(layer => layer.FeedForward is MoeConfig), Is.EqualTo(new[] { false, false, false, true }));
    }

    [Test]
    public void WhatIsInParenthesesIsRepeated()
    {
        Assert.That(
            Layers("model.layers=8", "model.pattern=(gru*2,attention)*2 , none, /relu").Select(layer => layer.Mixer.Kind),
            Is.EqualTo(new[] { "gru", "gru", "attention", "gru", "gru", "attention", "none", "attention" }));
        Assert.That(Layers("model.layers=4", "model.pattern=gru, attention").Select(layer => layer.Mixer.Kind), Is.EqualTo(new[] { "gru", "attention", "gru", "attention" }));
    }

    [Test]
    public void SettingsAfterATextMeanItsLayers()
    {
        IReadOnlyList<LayerConfig> layers = Layers("model.layers=4", "model.pattern=sliding-window*3, attention", "model.pattern.0.mixer.window=7");

        Assert.That(layers.Take(3).Select(layer => ((SlidingWindowConfig)layer.Mixer).Window), Is.All.EqualTo(7));
    }

    [Test]
    public void APlusPutsMixersBesideEachOther()
    {
        var mixer = (ParallelConfig)Layers("model.layers=2", "model.pattern=attention+gru+gru/swiglu, attention")[0].Mixer;

        Assert.That(mixer.Mixers.Select(member => member.Kind), Is.EqualTo(new[] { "attention", "gru", "gru" }));
        Assert.That(((GruConfig)mixer.Mixers[1]).State, Is.EqualTo(128), "resolved");
    }

    [TestCase("attention,", "a kind is missing at character 11")]
    [TestCase("attention*", "a kind is missing at character 11")]
    [TestCase("attention*none", "none is not a number of layers")]
    [TestCase("attention*0", "0 is not a number of layers")]
    [TestCase("attention gru", "'g' at character 11 is not expected")]
    [TestCase("(attention", "a parenthesis is not closed")]
    [TestCase("((gru*2, attention)*4000)*4000", "more than 4096 layers")]
    [TestCase("", "a kind is missing at character 1")]
    public void ATextThatIsNoPatternIsRefused(string text, string problem) => Assert.That(
        Configs.Problems($"model.pattern={text}"),
        Is.EqualTo(new[] { $"model.pattern: {problem}; expected layers such as \"sliding-window*3, attention/moe\" or \"(mamba2*2, attention)*4\"" }));

    [Test]
    public void AnUnknownKindIsNamedWithItsPlace() =>
        Assert.That(Configs.Problems("model.pattern=gru, atention").Single(), Does.StartWith("model.pattern.1.mixer: unknown kind \"atention\", did you mean \"attention\"?"));

    [TestCase("gru+none", "model.pattern.0.mixer.mixers.1: \"none\" cannot stand beside others in a layer: it does not mix")]
    [TestCase("gru+parallel", "model.pattern.0.mixer.mixers.1: \"parallel\" cannot stand beside others in a layer: it is several already; name all of them in one list")]
    public void AKindThatCannotStandBesideOthersIsRefused(string text, string problem) => Assert.That(Configs.Problems($"model.pattern={text}"), Is.EqualTo(new[] { problem }));

    [Test]
    public void OneMixerIsNotSeveral() => Assert.That(
        Configs.Problems("model.mixer={\"kind\": \"parallel\", \"mixers\": [\"gru\"]}"),
        Is.EqualTo(new[] { "model.mixer.mixers: has 1 mixers; two are needed at least, or the one itself as the mixer" }));

    private static IReadOnlyList<LayerConfig> Layers(params string[] settings) => Configs.Build(settings).Model.LayerConfigs();
}
