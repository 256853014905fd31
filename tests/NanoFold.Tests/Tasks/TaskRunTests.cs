using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;
using NanoFold.Tests.Training.Collectives;

namespace NanoFold.Tests.Tasks;

/// <summary>A run of a task without text, from its configuration to the scores of its checkpoint.</summary>
[NonParallelizable]
public sealed class TaskRunTests
{
    private static readonly string[] s_settings =
    [
        "task=modular-addition", "task.modulus=5", "task.validationRows=7",
        "model.layers=1", "model.width=16", "model.heads=2", "model.hidden=24", "model.context=9",
        "train.steps=12", "train.batch=4", "train.evaluateEvery=6", "train.checkpointEvery=5", "train.evaluationWindows=3", "train.keepCheckpoints=9",
        "geometry.probeTokens=64", "geometry.neighborTokens=32", "geometry.every=12",
    ];

    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    [Test]
    public void ItIsResumedWithTheSameBits()
    {
        TrainSummary whole = _rig.Train("whole", Config());
        _rig.Train("parts", Config("train.stopAfter=7"));
        _rig.Resume("parts");
        _rig.AssertSame("parts", "whole", 12);
        Assert.That(whole.End, Is.EqualTo(TrainEnd.Finished));

        JsonElement[] lines = [.. JsonLinesLog.Read(_rig["whole/metrics.jsonl"])];
        string[] evaluated = [.. lines.Where(line => line.TryGetProperty("validationLoss", out _)).Last().EnumerateObject().Select(pair => pair.Name)];
        Assert.That(evaluated.Skip(4), Is.EqualTo(new[]
        {
            "validationLoss", "validationAccuracy", "validationTokens", "fullValidationLoss", "fullValidationAccuracy", "fullValidationTokens",
        }));
        Assert.That(Directory.GetFiles(_rig.Checkpoint("whole", 12)).Select(Path.GetFileName), Does.Contain("model.safetensors").And.Not.Contain(Tokenizer.FileName));
        Assert.That(SavedRun.LoadConfig(_rig["whole"]).Model.Vocab, Is.EqualTo(6), "the digits and the sign after them");
        Assert.That(JsonLinesLog.Read(_rig["whole/geometry.jsonl"]), Is.Not.Empty);
    }

    /// <summary>So what fits into memory does not decide what is learned.</summary>
    [Test]
    public void MicroBatchesAreTheSameRows()
    {
        _rig.Train("one", Config("train.steps=1", "train.batch=8"));
        _rig.Train("four", Config("train.steps=1", "train.batch=2", "train.accumulate=4"));
        double Loss(string run) => JsonLinesLog.Read(_rig[$"{run}/metrics.jsonl"])[0].GetProperty("loss").GetDouble();
        Assert.That(Loss("four"), Is.EqualTo(Loss("one")).Within(1e-6));
    }

    [Test]
    public void ItsScoresAreThoseOfItsCheckpoint()
    {
        JsonObject trained = CommandLine.Json(["train", "--threads", "1", "--out", _rig["run"], .. Set(s_settings)]);
        JsonObject scored = CommandLine.Json("eval", "--threads", "1", "--model", _rig.Checkpoint("run", 12));
        Assert.That(
            ((string?)scored["task"], (double?)scored["loss"], (double?)scored["accuracy"], (string?)scored["part"]),
            Is.EqualTo(("modular-addition", (double?)trained["fullValidationLoss"], (double?)trained["fullValidationAccuracy"], "validation")));
        Assert.That((double?)trained["validationAccuracy"], Is.InRange(0, 1));
        Assert.That(trained["validationBitsPerByte"], Is.Null);

        CommandLine read = CommandLine.Run("generate", "--model", _rig["run"], "--prompt", "1");
        Assert.That((read.Code, read.ErrorLines.Single()), Is.EqualTo((1, $"nanofold: {_rig["run"]}: was trained on task modular-addition, which has no text: it neither reads nor writes any")));
        foreach (string[] option in new[] { ["--data", _rig.TextPath], ["--part", "all"], ["--separator", "x"], ["--field", "x"], new[] { "--strict" } })
        {
            CommandLine other = CommandLine.Run(["eval", "--model", _rig["run"], .. option]);
            Assert.That((other.Code, other.ErrorLines.Single()), Is.EqualTo((2, $"nanofold: {option[0]}: the run was trained on task modular-addition, which has no text; leave it out to evaluate on what the task holds back")));
        }
    }

    [Test]
    public void ANewRunMayBeginWithItsWeights()
    {
        _rig.Train("first", Config("train.steps=3"));
        RunConfig config = new ConfigTree().Set($"train.init={_rig["first"]}").Set("train.steps=2").Set("train.batch=2").Set("geometry.enabled=false").Build();
        Assert.That((config.Task.Kind, config.Model.Vocab), Is.EqualTo(("modular-addition", 6)));
        _rig.Train("second", config);
        Assert.That(_rig.Checkpoints("second"), Does.Contain(2));
    }

    [Test]
    public void TwoProcessesTrainItWithTheBitsOfOne()
    {
        string[] settings = ["train.accumulate=2", "train.steps=4", "geometry.enabled=false"];
        _rig.Train("alone", Config(settings));
        LoopbackCollective.Together(2, (backend, collective) =>
        {
            using TrainSession session = collective.Rank == 0
                ? TrainSession.Open(Config(settings), backend, _rig["together"], collective: collective)
                : TrainSession.Join(backend, collective);
            return new TrainLoop(session).Run();
        });
        _rig.AssertSame("together", "alone", 4);
    }

    [Test]
    public void BatchesAndPlansAreFoundWithoutText()
    {
        using var backend = new CpuBackend(1);
        using (TrainSession session = TrainSession.Open(Config("train.batch=auto"), backend))
        {
            Assert.That(session.Config.Train.Batch, Is.Positive);
        }

        JsonObject plan = CommandLine.Json(["plan", "--threads", "1", .. Set(s_settings)]);
        Assert.That(((long?)plan["vocab"], (long?)plan["tokensPerStep"]), Is.EqualTo((6L, 36L)));
        using var model = TrainSession.Open(Config(), backend);
        Assert.That(RunMemory.Of(model.Config, backend).Step.PeakBytes, Is.EqualTo(model.Trainer.PeakBytes));
    }

    [TestCase("data.path=a.txt", "data.path: has no effect on task \"modular-addition\", which has no text; leave it out")]
    [TestCase("data.validation=a.txt", "data.validation: has no effect on task \"modular-addition\", which has no text; leave it out")]
    [TestCase("data.strict=true", "data.strict: has no effect on task \"modular-addition\", which has no text; leave it out")]
    [TestCase("train.sampleEvery=5", "train.sampleEvery: has no effect on task \"modular-addition\", which has no text; leave it out")]
    [TestCase("task=modular-adition", "did you mean \"modular-addition\"")]
    [TestCase("task.modulo=5", "did you mean task.modulus?")]
    public void WhatDoesNotSuitIsOneLine(string setting, string problem)
        => Assert.That(() => Config(setting), Throws.TypeOf<ConfigException>().With.Message.Contains(problem));

    [Test]
    public void WhereNothingIsHeldBackNothingIsScored()
    {
        TrainSummary summary = _rig.Train("run", Config("task.validationRows=0", "geometry.enabled=false"));
        Assert.That((summary.End, summary.Validation), Is.EqualTo((TrainEnd.Finished, (Evaluation?)null)));
        CommandLine run = CommandLine.Run("eval", "--model", _rig["run"]);
        Assert.That((run.Code, run.ErrorLines.Single()), Is.EqualTo((1, $"nanofold: {_rig["run"]}: its task, modular-addition, holds nothing back to evaluate on")));
    }

    private static RunConfig Config(params string[] more) => s_settings.Concat(more).Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();

    private static IEnumerable<string> Set(IEnumerable<string> settings) => settings.SelectMany(setting => new[] { "--set", setting });
}
