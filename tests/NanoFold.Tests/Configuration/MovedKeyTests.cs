using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Configuration;

/// <summary>Keys that stood in <c>train</c> before version 4 and are accepted there as ever.</summary>
public class MovedKeyTests
{
    // As version 3 wrote it.
    private const string Old = """
        { "version": 3, "train": { "optimizer": "muon", "learningRate": 0.01, "matrixLearningRate": 0.03, "weightDecay": 0, "matrixWeightDecay": 0.2,
          "beta1": 0.8, "beta2": 0.97, "epsilon": 1E-06, "momentum": 0.9 } }
        """;

    private static readonly MuonConfig s_old = new() { MatrixLearningRate = 0.03, MatrixWeightDecay = 0.2, Beta1 = 0.8, Beta2 = 0.97, Epsilon = 1e-6, Momentum = 0.9 };

    private static ConfigTree OldTree => new ConfigTree().AddJson(Old, "old.json");

    [Test]
    public void AFileOfVersion3IsReadAndWrittenAsOfToday()
    {
        RunConfig config = OldTree.Build();

        Assert.That(config.Train.Optimizer, Is.EqualTo(s_old));
        JsonObject train = JsonNode.Parse(config.ToJson())!["train"]!.AsObject();
        Assert.That(train["optimizer"]!.ToJsonString(), Is.EqualTo(
            """{"kind":"muon","beta1":0.8,"beta2":0.97,"epsilon":1E-06,"matrixLearningRate":0.03,"matrixWeightDecay":0.2,"momentum":0.9,"nesterov":true,"iterations":5,"adjust":"original"}"""));
        Assert.That(train.Select(pair => pair.Key).Intersect(["beta1", "beta2", "epsilon", "momentum", "matrixLearningRate", "matrixWeightDecay"]), Is.Empty);
        Assert.That(new ConfigTree().AddJson(config.ToJson(), "saved").Build().ToJson(), Is.EqualTo(config.ToJson()));
    }

    // Every file of AdamW had a momentum, and nulls for Muon's keys.
    [Test]
    public void AFileOfAdamWOfVersion3IsRead()
    {
        RunConfig config = new ConfigTree().AddJson("""
            { "version": 3, "train": { "optimizer": "adamw", "matrixLearningRate": null, "matrixWeightDecay": null, "beta1": 0.8, "momentum": 0.95 } }
            """, "old.json").Build();

        Assert.That(config.Train.Optimizer, Is.EqualTo(new AdamWConfig { Beta1 = 0.8, Beta2 = 0.99, Epsilon = 1e-8 }));
    }

    [TestCase("train.beta1=0.7", "train.optimizer=adamw")]
    [TestCase("train.optimizer=adamw", "train.beta1=0.7")]
    [TestCase("train.optimizer=adamw", "train.optimizer.beta1=0.7")]
    [TestCase("train.optimizer.beta1=0.1", "train.optimizer=adamw", "train.beta1=0.7")]
    [TestCase("train.beta1=0.1", "train.optimizer=adamw", "train.optimizer.beta1=0.7")]
    [TestCase("train.beta1=0.1", "train.optimizer={\"kind\":\"adamw\",\"beta1\":0.7}")]
    [TestCase("train.optimizer.beta1=0.1", "train.optimizer=adamw", "train.matrixLearningRate=0.1", "train.beta1=0.7", "train.matrixLearningRate=null")]
    public void NamingAKindKeepsThemAndTheLaterPlaceGoesFirst(params string[] settings)
        => Assert.That(Configs.Build(settings).Train.Optimizer, Is.EqualTo(new AdamWConfig { Beta1 = 0.7, Beta2 = 0.99, Epsilon = 1e-8 }));

    [Test]
    public void WithoutAKindTheyAreOfThePresetsOptimizer()
        => Assert.That(((MuonConfig)Configs.Build("train.momentum=0.5", "train.epsilon=1e-3").Train.Optimizer), Is.EqualTo(
            new MuonConfig { MatrixLearningRate = 0.01, MatrixWeightDecay = 0, Momentum = 0.5, Beta1 = 0.9, Beta2 = 0.99, Epsilon = 1e-3 }));

    [Test]
    public void ASettingOfTheCommandLineGoesBeforeAnOldFileInEitherPlace()
    {
        Assert.That(OldTree.Set("train.beta1=0.5").Build().Train.Optimizer, Is.EqualTo(s_old with { Beta1 = 0.5 }));
        Assert.That(OldTree.Set("train.optimizer.beta1=0.5").Build().Train.Optimizer, Is.EqualTo(s_old with { Beta1 = 0.5 }));
        RunConfig saved = OldTree.Build();
        Assert.That(new ConfigTree().AddJson(saved.ToJson(), "saved").Set("train.momentum=0.5").Build().Train.Optimizer, Is.EqualTo(s_old with { Momentum = 0.5 }));
    }

    [TestCase("train.matrixLearningRate=0.1", "train.matrixLearningRate: is a key of \"muon\" and has no effect with optimizer \"adamw\"; set it to null")]
    [TestCase("train.optimizer.matrixLearningRate=0.1", "train.optimizer.matrixLearningRate: is not a key of kind \"adamw\", but of \"muon\"")]
    [TestCase("train.beta1=1", "train.beta1: expected a number of at least 0 and less than 1, got 1")]
    [TestCase("train.optimizer.beta1=x", "train.optimizer.beta1: expected a number of at least 0 and less than 1, got \"x\"")]
    [TestCase("train.epsilon=0", "train.epsilon: expected a number of more than 0, got 0")]
    public void WhatIsWrongIsToldUnderTheNameThatWasWritten(string setting, string problem)
        => Assert.That(Configs.Problems("train.optimizer=adamw", setting), Is.EqualTo(new[] { problem }));

    [Test]
    public void AProblemOfAFileNamesItsLine()
        => Assert.That(
            Configs.Problems(new ConfigTree().AddJson("{\n  \"train\": {\n    \"momentum\": 2\n  }\n}", "my.json")),
            Is.EqualTo(new[] { "my.json:3: train.momentum: expected a number of at least 0 and less than 1, got 2" }));

    [Test]
    public void AnUnknownKindIsTheOnlyProblem()
        => Assert.That(Configs.Problems("train.optimizer=sdg", "train.momentum=0.5"), Has.Length.EqualTo(1).And.Exactly(1).Contains("train.optimizer: unknown kind \"sdg\""));

    [Test]
    public void TheOldKeysAreTheNewOnes()
        => Assert.That(MovedKeys.All.Select(key => key.Now), Is.SubsetOf(Settings.Read().Keys.Select(setting => setting.Key)));

    [Test]
    public void AWrongOptimizerIsTheProblemAlsoBesideAMovedKey()
        => Assert.That(
            Configs.Problems(new ConfigTree().AddJson("""{ "train": { "optimizer": null, "beta1": 0.9 } }""", "my.json")).Single(),
            Does.StartWith("my.json:1: train.optimizer: expected a kind"));

    [Test]
    public void AMomentumMayStandBesideAdamW()
        => Assert.That(new ConfigTree().AddJson("""{ "train": { "optimizer": "adamw", "momentum": 0.95 } }""", "old").Build().Train.Optimizer, Is.InstanceOf<AdamWConfig>());
}
