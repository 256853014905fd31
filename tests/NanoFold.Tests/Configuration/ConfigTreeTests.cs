using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Configuration;

public class ConfigTreeTests
{
    [Test]
    public void LaterLayersGoBeforeEarlierOnes()
    {
        RunConfig config = new ConfigTree("small")
            .AddJson("""{ "model": { "layers": 3, "width": 96 }, "train": { "steps": 50 } }""", "a")
            .AddJson("""{ "model": { "layers": 2 } }""", "b")
            .Set("train.steps=70")
            .Set("model.width=48")
            .Build();

        Assert.That(config.Preset, Is.EqualTo("small"));
        Assert.That((config.Model.Layers, config.Model.Width, config.Model.Context), Is.EqualTo((2, 48, 256)));
        Assert.That((config.Train.Steps, config.Train.Batch), Is.EqualTo((70, 8)));
    }

    [Test]
    public void CommentsAndTrailingCommasAreAllowed()
    {
        RunConfig config = new ConfigTree().AddJson("""
            {
              // fewer layers
              "model": { "layers": 2, /* here */ },
            }
            """, "a").Build();

        Assert.That(config.Model.Layers, Is.EqualTo(2));
    }

    [Test]
    public void AFileMayNameItsPresetAndTheOptionGoesFirst()
    {
        Assert.That(new ConfigTree().AddJson("""{ "preset": "gpt2" }""", "a").Build().Model.Layers, Is.EqualTo(12));
        Assert.That(new ConfigTree("small").AddJson("""{ "preset": "gpt2" }""", "a").Build().Model.Layers, Is.EqualTo(6));
    }

    [Test]
    public void AnUnknownPresetIsNamedWithTheOtherProblems()
    {
        Assert.That(Configs.Problems(new ConfigTree("nanno").Set("model.layers=0")), Is.EqualTo(new[]
        {
            "preset: unknown preset \"nanno\", did you mean \"nano\"?; known: nano, small, gpt2",
            "model.layers: expected an integer of at least 1 and at most 4096, got 0",
        }));
    }

    [Test]
    public void AKindMayBeAStringOrARecord()
    {
        Assert.That(Configs.Build("model.mixer=sliding-window").Model.Mixer, Is.EqualTo(new SlidingWindowConfig { Window = 16, Sinks = 4 }));
        Assert.That(
            Configs.Build("""model.mixer={"kind": "sliding-window", "window": 9}""").Model.Mixer,
            Is.EqualTo(new SlidingWindowConfig { Window = 9, Sinks = 4 }));
        Assert.That(
            Configs.Build("""model.mixer={"window": 9, "kind": "sliding-window"}""").Model.Mixer,
            Is.EqualTo(new SlidingWindowConfig { Window = 9, Sinks = 4 }));
    }

    [Test]
    public void SettingAKindResetsItsRecordAndLaterKeysFillIt()
    {
        Assert.That(
            Configs.Build("model.mixer=sliding-window", "model.mixer.window=7", "model.mixer=top-k", "model.mixer.topK=16").Model.Mixer,
            Is.EqualTo(new TopKConfig { TopK = 16 }));
        Assert.That(
            Configs.Build("model.mixer=sliding-window", "model.mixer.sinks=1", "model.mixer=sliding-window").Model.Mixer,
            Is.EqualTo(new SlidingWindowConfig { Window = 16, Sinks = 4 }));
        Assert.That(
            Configs.Build("model.mixer=sliding-window", "model.mixer.kind=top-k").Model.Mixer,
            Is.EqualTo(new TopKConfig { TopK = 8 }));
        Assert.That(
            Configs.Problems("model.mixer=top-k", "model.mixer.topK=16", "model.mixer=attention", "model.mixer.topK=16"),
            Is.EqualTo(new[] { "model.mixer.topK: is not a key of kind \"attention\", but of \"dsa\", \"top-k\"" }));
    }

    [Test]
    public void TokenizersAreKindsToo()
    {
        Assert.That(Configs.Build().Tokenizer, Is.EqualTo(new BpeTokenizerConfig { Vocab = 2048 }));
        Assert.That(Configs.Build("tokenizer.vocab=512").Tokenizer, Is.EqualTo(new BpeTokenizerConfig { Vocab = 512 }));
        Assert.That(Configs.Build("tokenizer=byte").Tokenizer, Is.EqualTo(new ByteTokenizerConfig()));
        Assert.That(Configs.Build("tokenizer=file", "tokenizer.path=a/b.json").Tokenizer, Is.EqualTo(new FileTokenizerConfig { Path = "a/b.json" }));
        Assert.That(Configs.Problems("tokenizer=file"), Is.EqualTo(new[] { "tokenizer.path: is needed for kind \"file\": name a tokenizer's file" }));
        Assert.That(Configs.Problems("tokenizer=byte", "tokenizer.vocab=512"), Is.EqualTo(new[] { "tokenizer.vocab: is not a key of kind \"byte\", but of \"bpe\"" }));
    }

    [Test]
    public void ValuesAreJsonWhereTheyParseOtherwiseStrings()
    {
        RunConfig config = Configs.Build(
            "model.tied=true", "data.path=some file.txt", "train.samplePrompt=a=b", "generation.stop=[\"x\", \"y\"]", "train.learningRate=1e-3", "data.validation=null");

        Assert.That(config.Model.Tied, Is.True);
        Assert.That(config.Data.Path, Is.EqualTo("some file.txt"));
        Assert.That(config.Data.Validation, Is.Null);
        Assert.That(config.Train.SamplePrompt, Is.EqualTo("a=b"));
        Assert.That(config.Generation.Stop, Is.EqualTo(new[] { "x", "y" }));
        Assert.That(config.Train.LearningRate, Is.EqualTo(0.001));
    }

    [TestCase("123")]
    [TestCase("1e3")]
    [TestCase("true")]
    public void WhatLooksLikeANumberIsTextWhereTextIsExpected(string text)
    {
        Assert.That(Configs.Build($"data.path={text}").Data.Path, Is.EqualTo(text));
        Assert.That(Configs.Build("tokenizer=file", $"tokenizer.path={text}").Tokenizer, Is.EqualTo(new FileTokenizerConfig { Path = text }));
    }

    [Test]
    public void AutoMeansZeroAndWholeNumbersMayBeWrittenAnyWay()
    {
        RunConfig config = Configs.Build("train.batch=auto", "geometry.every=auto", "train.steps=1e3", "model.layers=2.0");

        Assert.That((config.Train.Batch, config.Geometry.Every, config.Train.Steps, config.Model.Layers), Is.EqualTo((0, 0, 1000, 2)));
        Assert.That(
            Configs.Problems("train.steps=auto", "train.batch=many"),
            Is.EqualTo(new[]
            {
                "train.steps: expected an integer of at least 1 and at most 2147483647, got \"auto\"",
                "train.batch: expected an integer of at least 0 and at most 1048576 or \"auto\", got \"many\"",
            }));
    }

    [Test]
    public void APatternMixesKindsAndIsRepeated()
    {
        RunConfig config = Configs.Build(
            "model.layers=6",
            """model.pattern=[{"mixer": "sliding-window", "repeat": 2}, {"feedForward": {"kind": "moe", "experts": 4}}]""",
            "model.pattern.0.mixer.window=8",
            "model.pattern.1.mixer=top-k");

        IReadOnlyList<LayerConfig> layers = config.Model.LayerConfigs();
        Assert.That(layers.Select(layer => layer.Mixer.Kind), Is.EqualTo(new[]
        {
            "sliding-window", "sliding-window", "top-k", "sliding-window", "sliding-window", "top-k",
        }));
        Assert.That(layers[3].Mixer, Is.EqualTo(new SlidingWindowConfig { Window = 8 }));
        Assert.That(layers[3].FeedForward, Is.EqualTo(new SwiGluConfig { Hidden = 344 }));
        Assert.That(layers[5].FeedForward, Is.EqualTo(new MoeConfig { Experts = 4, Hidden = 344, Renormalize = true, BalanceLoss = 0.01, ZLoss = 0.001, BiasRate = 0, ActiveGroups = 1 }));
    }

    [Test]
    public void ASyntaxErrorNamesFileAndPlace()
    {
        UserException e = Assert.Throws<UserException>(() => new ConfigTree().AddJson("{\n  \"model\": { \"layers\": 2 \"width\": 3 } }", "my.json"))!;

        Assert.That(e.Message, Does.StartWith("my.json: line 2, column 26: not valid JSON: "));
        Assert.That(e.Message, Does.Not.Contain("LineNumber"));
        Assert.That(e.ExitCode, Is.EqualTo(1));
    }

    [TestCase("[1, 2]")]
    [TestCase("3")]
    [TestCase("null")]
    [TestCase("")]
    public void WhatIsNoObjectIsRefused(string json)
        => Assert.That(() => new ConfigTree().AddJson(json, "my.json"), Throws.InstanceOf<UserException>().With.Message.StartWith("my.json: "));

    [Test]
    public void AKeyThatIsThereTwiceIsRefused()
        => Assert.That(
            () => new ConfigTree().AddJson("""{ "model": { "layers": 1, "layers": 2 } }""", "my.json"),
            Throws.InstanceOf<UserException>().With.Message.EqualTo("my.json:1: model.layers: is there twice"));

    [Test]
    public void AMissingFileIsOneLine()
    {
        using var folder = new TemporaryFolder();

        UserException e = Assert.Throws<UserException>(() => new ConfigTree().AddFile(folder["none.json"]))!;
        Assert.That(e.Message, Does.StartWith($"cannot read {folder["none.json"]}: ").And.Not.Contain('\n'));
        Assert.That(e.ExitCode, Is.EqualTo(1));
    }

    [Test]
    public void AHugeFileIsRefusedAndABomIsNot()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["huge.json"], new string(' ', 2 << 20));
        File.WriteAllText(folder["bom.json"], """{ "model": { "layers": 2 } }""", new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: true));

        Assert.That(
            () => new ConfigTree().AddFile(folder["huge.json"]),
            Throws.TypeOf<UserException>().With.Message.EqualTo($"{folder["huge.json"]}: is longer than the 1048576 bytes that a configuration may have"));
        Assert.That(new ConfigTree().AddFile(folder["bom.json"]).Build().Model.Layers, Is.EqualTo(2));
    }
}
