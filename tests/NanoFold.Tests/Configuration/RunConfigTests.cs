using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Configuration;

public class RunConfigTests
{
    [Test]
    public void WhatIsBuiltIsResolved()
    {
        RunConfig config = Configs.Build("model.mixer=sliding-window", "train.steps=77");

        Assert.That((config.Model.KvHeads, config.Model.HeadDim, config.Model.Hidden), Is.EqualTo((4, 32, 344)));
        Assert.That(config.Model.Mixer, Is.EqualTo(new SlidingWindowConfig { Window = 16 }));
        Assert.That(config.Model.FeedForward, Is.EqualTo(new SwiGluConfig { Hidden = 344 }));
        Assert.That((config.Train.EvaluateEvery, config.Train.CheckpointEvery, config.Train.Warmup), Is.EqualTo((8, 8, (int?)7)));
    }

    [TestCase("nano")]
    [TestCase("small")]
    [TestCase("gpt2")]
    public void TheOptimizerBringsItsOwnRates(string preset)
    {
        TrainConfig muon = new ConfigTree(preset).Build().Train;
        TrainConfig adamW = new ConfigTree(preset).Set("train.optimizer=adamw").Build().Train;
        TrainConfig own = new ConfigTree(preset).Set("train.optimizer=adamw").Set("train.learningRate=0.5").Set("train.beta2=0.9").Build().Train;

        double beta2 = preset == "gpt2" ? 0.95 : 0.99;
        Assert.That(muon.Optimizer, Is.EqualTo(new MuonConfig
        {
            MatrixLearningRate = preset == "nano" ? 0.01 : 0.02, MatrixWeightDecay = 0, Momentum = 0.95, Beta1 = 0.9, Beta2 = beta2, Epsilon = 1e-8,
        }));
        Assert.That((muon.LearningRate, muon.WeightDecay), Is.EqualTo(((double?)(preset switch { "nano" => 1e-2, "small" => 3e-3, _ => 1e-3 }), (double?)0)));
        Assert.That(muon.Warmup, Is.EqualTo(preset switch { "nano" => 20, "small" => 100, _ => 300 }));
        Assert.That(adamW.Optimizer, Is.EqualTo(new AdamWConfig { Beta1 = 0.9, Beta2 = beta2, Epsilon = 1e-8 }));
        Assert.That(adamW.LearningRate, Is.EqualTo(preset == "gpt2" ? 6e-4 : 1e-3));
        Assert.That((adamW.WeightDecay, adamW.Warmup), Is.EqualTo(((double?)0.1, (int?)(preset == "gpt2" ? 700 : 100))));
        Assert.That((own.LearningRate, ((AdamWConfig)own.Optimizer).Beta2, own.WeightDecay), Is.EqualTo(((double?)0.5, (double?)0.9, adamW.WeightDecay)));
    }

    [TestCase("nano", 1e-3)]
    [TestCase("gpt2", 6e-4)]
    public void MuonWhoseUpdatesAreAsLargeAsThoseOfAdamWHasItsRateAndDecay(string preset, double rate)
    {
        var muon = (MuonConfig)new ConfigTree(preset).Set("train.optimizer.adjust=match-rms").Build().Train.Optimizer;
        var own = (MuonConfig)new ConfigTree(preset).Set("train.optimizer.adjust=match-rms").Set("train.optimizer.matrixLearningRate=0.5").Set("train.optimizer.matrixWeightDecay=0").Build().Train.Optimizer;

        Assert.That((muon.MatrixLearningRate, muon.MatrixWeightDecay), Is.EqualTo(((double?)rate, (double?)0.1)));
        Assert.That((own.MatrixLearningRate, own.MatrixWeightDecay), Is.EqualTo(((double?)0.5, (double?)0)));
    }

    [Test]
    public void TheFileIsCompleteAndReadsBackToTheSame()
    {
        RunConfig config = Configs.Build("model.mixer=top-k", """model.pattern=[{"mixer": "gated-attention"}]""", "tokenizer=byte", "generation.stop=[\"é\"]");

        string json = config.ToJson();
        Assert.That(new ConfigTree().AddJson(json, "config.json").Build().ToJson(), Is.EqualTo(json));
        Assert.That(json, Does.Contain("\"version\": 4").And.Contain("\"kind\": \"top-k\"").And.Contain("\"gate\": \"G1\"").And.Contain("é"));
        Assert.That(json, Does.Not.Contain('\r'));
    }

    [Test]
    public void AFolderOfARunIsReadByItsConfigJson()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Configs.Build("model.layers=2");
        File.WriteAllText(folder[RunConfig.FileName], config.ToJson());

        Assert.That(RunConfig.Load(folder.Path).ToJson(), Is.EqualTo(config.ToJson()));
        Assert.That(RunConfig.Load(folder[RunConfig.FileName]).Model.Layers, Is.EqualTo(2));
    }

    [Test]
    public void WhereARunWasStoppedIsNotSaved()
        => Assert.That(JsonNode.Parse(Configs.Build("train.stopAfter=5").ToJson())!["train"]!["stopAfter"]!.GetValue<int>(), Is.Zero);

    [Test]
    public void ANewerVersionIsRefused()
    {
        UserException e = Assert.Throws<UserException>(() => new ConfigTree().AddJson("""{ "version": 5, "some": "thing" }""", "runs/a/config.json"))!;

        Assert.That(e.Message, Is.EqualTo("runs/a/config.json: is a configuration of version 5; this NanoFold reads versions up to 4: use a newer one"));
    }

    [Test]
    public void AnOlderFileWithoutNewerKeysLoads()
    {
        JsonObject tree = JsonNode.Parse(Configs.Build("model.layers=2").ToJson())!.AsObject();
        tree.Remove("version");
        tree.Remove("geometry");
        tree["train"]!["optimizer"]!.AsObject().Remove("momentum");

        RunConfig config = new ConfigTree().AddJson(tree.ToJsonString(), "old").Build();
        Assert.That((config.Version, config.Model.Layers, ((MuonConfig)config.Train.Optimizer).Momentum, config.Geometry), Is.EqualTo((4, 2, 0.95, new GeometryConfig())));
    }

    [Test]
    public void BeforeVersion2GeluWasTheTanhForm()
    {
        const string Old = """
            {
              "version": 1,
              "model": {
                "layers": 2,
                "feedForward": { "kind": "moe", "activation": "geglu" },
                "pattern": [
                  { "feedForward": { "kind": "gelu", "hidden": 40 } },
                  { "feedForward": "geglu" }
                ]
              }
            }
            """;
        RunConfig trained = new ConfigTree().AddJson(Old, "old").Build(), typed = new ConfigTree().AddJson(Old.Replace("\"version\": 1,", ""), "typed").Build();

        Assert.That(trained.Model.LayerConfigs().Select(l => l.FeedForward), Is.EqualTo(new FeedForwardConfig[]
        {
            new GeluTanhConfig { Hidden = 40 }, new GeGluTanhConfig { Hidden = 344 },
        }));
        Assert.That(((MoeConfig)trained.Model.FeedForward).Activation, Is.EqualTo(new GeGluTanhConfig()));
        Assert.That(typed.Model.LayerConfigs().Select(l => l.FeedForward), Is.EqualTo(new FeedForwardConfig[]
        {
            new GeluConfig { Hidden = 40 }, new GeGluConfig { Hidden = 344 },
        }));
        Assert.That(((MoeConfig)typed.Model.FeedForward).Activation, Is.EqualTo(new GeGluConfig()));
        // Saved now it says so itself, and what is set on top of it is of today.
        Assert.That(new ConfigTree().AddJson(trained.ToJson(), "saved").Build().ToJson(), Is.EqualTo(trained.ToJson()));
        RunConfig changed = new ConfigTree().AddJson(Old, "old").Set("model.feedForward.activation=gelu").Set("model.pattern=null").Build();
        Assert.That(((MoeConfig)changed.Model.FeedForward).Activation, Is.EqualTo(new GeluConfig()));
    }

    [TestCase(""" "version": 3, """)]
    [TestCase("")]
    public void TheWidthOfAConvolutionWasCalledTaps(string version)
    {
        const string Model = """ "model": { "layers": 2, "mixer": { "kind": "convolution", "taps": 7 }, "pattern": [{ "mixer": { "kind": "convolution", "taps": 5 } }, {}] } """;
        RunConfig config = new ConfigTree().AddJson($"{{ {version} {Model} }}", "old").Build();
        Assert.That(config.Model.LayerConfigs().Select(l => l.Mixer), Is.EqualTo(new[] { new ConvolutionConfig { Conv = 5 }, new ConvolutionConfig { Conv = 7 } }));
        Assert.That(config.ToJson(), Does.Not.Contain("taps"));
    }

    /// <summary>What became a setting with version 3 was as it is named here; a file without a version is of today.</summary>
    [TestCase("""{ "version": 1 }""", DrawOrder.MicroBatch, SplitKind.End)]
    [TestCase("""{ "version": 2, "data": { "validationFraction": 0.2 } }""", DrawOrder.MicroBatch, SplitKind.End)]
    [TestCase("""{ "version": 2, "data": { "draws": "step" } }""", DrawOrder.Step, SplitKind.End)]
    [TestCase("""{ "version": 3, "data": {} }""", DrawOrder.Step, SplitKind.Shuffled)]
    [TestCase("""{ "data": {} }""", DrawOrder.Step, SplitKind.Shuffled)]
    public void BeforeVersion3RowsWereNumberedInEachMicroBatchAndTheLastDocumentsHeldBack(string json, DrawOrder draws, SplitKind split)
    {
        RunConfig config = new ConfigTree().AddJson(json, "old").Build();
        Assert.That((config.Data.Draws, config.Data.Split), Is.EqualTo((draws, split)));
        Assert.That(new ConfigTree().AddJson(config.ToJson(), "saved").Build().ToJson(), Is.EqualTo(config.ToJson()));
    }

    [Test]
    public void TheVocabularyIsTheTokenizersUnlessGiven()
    {
        Assert.That(Configs.Build().WithVocab(777).Model.Vocab, Is.EqualTo(777));
        Assert.That(Configs.Build("model.vocab=2304").WithVocab(2048).Model.Vocab, Is.EqualTo(2304));
        Assert.That(
            () => Configs.Build("model.vocab=300", "tokenizer=file", "tokenizer.path=x").WithVocab(301),
            Throws.TypeOf<ConfigException>().With.Message.EqualTo("model.vocab: 300 is less than the tokenizer's 301 symbols; use 0 to take the tokenizer's"));
    }

    [Test]
    public void TheExpectedVocabularyIsTheTokenizers()
    {
        var marked = new DataConfig { Documents = DocumentMode.Mark };

        Assert.That(new BpeTokenizerConfig { Vocab = 700 }.ExpectedVocab(new DataConfig()), Is.EqualTo(700));
        Assert.That(new ByteTokenizerConfig().ExpectedVocab(new DataConfig()), Is.EqualTo(256));
        Assert.That(new ByteTokenizerConfig().ExpectedVocab(marked), Is.EqualTo(258));
        Assert.That(new FileTokenizerConfig().ExpectedVocab(marked), Is.Zero);
    }

    /// <summary>A learned vocabulary may come out at any size down to the bytes and marks, so what a run writes down is no contradiction.</summary>
    [TestCase("model.vocab=256", "tokenizer.vocab=2048")]
    [TestCase("model.vocab=258", "data.documents=mark")]
    public void AModelMayHaveFewerSymbolsThanABpeWasAllowed(params string[] settings)
    {
        RunConfig config = Configs.Build(settings), again = new ConfigTree().AddJson(config.ToJson(), "x").Build();
        Assert.That(again.Model.Vocab, Is.EqualTo(config.Model.Vocab).And.LessThan(2048));
    }
}
