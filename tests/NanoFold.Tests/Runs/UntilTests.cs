using System.Text.Json;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Runs that end when a score is reached (<c>train.until</c>).</summary>
[NonParallelizable]
public sealed class UntilTests
{
    private static readonly string[] s_settings =
    [
        "task=modular-addition", "task.modulus=5", "task.validationRows=7",
        "model.layers=1", "model.width=16", "model.heads=2", "model.hidden=24", "model.context=9",
        "train.steps=12", "train.batch=4", "train.evaluateEvery=2", "train.evaluationWindows=3", "geometry.enabled=false",
    ];

    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    [TestCase("accuracy>=0.99", "accuracy", true, 0.99)]
    [TestCase(" bitsPerByte <= 2 ", "bitsPerByte", false, 2)]
    [TestCase("loss<=1e-3", "loss", false, 0.001)]
    public void GoalsAreRead(string text, string score, bool isLeast, double value)
    {
        Assert.That(ScoreGoal.Parse(text), Is.EqualTo(new ScoreGoal(score, isLeast, value)));
        Assert.That(ScoreGoal.Parse(ScoreGoal.Parse(text)!.ToString()), Is.EqualTo(new ScoreGoal(score, isLeast, value)));
    }

    [TestCase("accuracy")]
    [TestCase("accuracy>0.9")]
    [TestCase(">=0.9")]
    [TestCase("loss<=")]
    [TestCase("loss<=infinity")]
    [TestCase("0.5<=loss<=1")]
    public void WhatIsNoGoalIsOneLine(string text) => Assert.That(
        () => new ConfigTree().Set($"train.until={text}").Build(),
        Throws.TypeOf<ConfigException>().With.Message.Contains($"train.until: \"{text}\" is no goal; expected a score, >= or <=, and a number: \"accuracy>=0.99\""));

    [Test]
    public void AnEvaluationReachesItOrNot()
    {
        Evaluation evaluation = Evaluation.Of(0.5, 10, new Score(Evaluation.Accuracy, 0.9));
        Assert.That(
            new[] { "accuracy>=0.9", "accuracy>=0.91", "accuracy<=0.9", "loss<=0.5", "loss<=0.49", "loss>=0.5", "bitsPerByte<=9" }.Select(goal => ScoreGoal.Parse(goal)!.IsMetBy(evaluation)),
            Is.EqualTo(new[] { true, false, true, true, false, true, false }));
    }

    /// <summary>It is over at the evaluation that reaches it, evaluated in full, saved, and stays so; with another goal it goes on to the bits of a run without one.</summary>
    [Test]
    public void ARunEndsWhereItIsReached()
    {
        var recorder = new Recorder();
        _rig.Train("whole", Config(), observer: recorder);
        // What the fourth evaluation has, or one before it that is better.
        double wanted = recorder.Evaluations.Where(pair => pair.Key <= 8).Min(pair => pair.Value.Loss);
        long first = recorder.Evaluations.First(pair => pair.Value.Loss <= wanted).Key;
        string goal = FormattableString.Invariant($"train.until=loss<={wanted:R}");

        TrainSummary summary = _rig.Train("run", Config(goal));
        Assert.That((summary.End, summary.Steps, summary.Validation!.Value.Loss, summary.ValidationStep), Is.EqualTo((TrainEnd.Reached, first, wanted, (long?)first)));
        Assert.That(summary.FullValidation?.Tokens, Is.EqualTo(13), "12 or 13 of 25 pairs are held back, and all of them are asked for");
        Assert.That(_rig.Checkpoints("run").Last(), Is.EqualTo(first));
        JsonElement[] lines = [.. JsonLinesLog.Read(_rig["run/metrics.jsonl"])];
        Assert.That(lines.Last(line => line.TryGetProperty("validationLoss", out _)).GetProperty("fullValidationTokens").GetInt64(), Is.EqualTo(13));

        TrainSummary again = _rig.Resume("run");
        Assert.That((again.End, again.Steps, again.FullValidation?.Loss), Is.EqualTo((TrainEnd.Reached, first, summary.FullValidation?.Loss)));
        Assert.That(JsonLinesLog.Read(_rig["run/metrics.jsonl"]).Count(), Is.EqualTo(lines.Length), "nothing is logged twice");

        CommandLine.Json("train", "--threads", "1", "--resume", _rig["run"], "--set", "train.until=loss<=-1");
        _rig.AssertSame("run", "whole", 12, metrics: false);
    }

    [Test]
    public void AScoreThatThereIsNotIsToldBeforeAnythingRuns()
    {
        Assert.That(
            () => _rig.Train("run", Config("train.until=f1>=0.5")),
            Throws.TypeOf<UserException>().With.Message.EqualTo("train.until: task \"modular-addition\" does not score f1; it scores loss, accuracy"));
        Assert.That(Directory.Exists(_rig["run"]), Is.False);
        Assert.That(
            () => _rig.Train("run", Config("train.until=loss<=0.5", "task.validationRows=0")),
            Throws.TypeOf<UserException>().With.Message.EqualTo("train.until: loss<=0.5 is never reached, for nothing is held back to evaluate on"));
        Assert.That(Directory.Exists(_rig["run"]), Is.False);
    }

    private static RunConfig Config(params string[] more) => s_settings.Concat(more).Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();
}
