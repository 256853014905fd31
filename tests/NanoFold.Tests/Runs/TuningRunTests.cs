using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Runs that go on from a model: on conversations, on pairs, held near it, with the old text among the new one.</summary>
[NonParallelizable]
public class TuningRunTests
{
    private const string Lora = "model.adapters=[{\"kind\":\"lora\",\"rank\":2,\"targets\":[\"all-linear\"]}]";

    private TuningRig _tuning = null!;
    private TrainRig _rig = null!;

    [SetUp]
    public void Begin()
    {
        _rig = (_tuning = new TuningRig("model.context=96")).Train;
        _rig.Write("talk.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i => $$"""{"messages":[{"role":"user","content":"no. {{i}}"},{"role":"assistant","content":"cat {{i}}."}]}""" + "\n")));
        _rig.Write("pairs.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i => $$"""{"prompt":"no. {{i}}","chosen":"cat {{i}}","rejected":"mat {{i}}."}""" + "\n")));
    }

    [TearDown]
    public void End() => _tuning.Dispose();

    [TestCase(Lora)]
    [TestCase("train.frozen=[\"*embed*\"]")]
    public void ConversationsAreLearnedNearTheInitialModelToTheSameBits(string part)
    {
        string[] settings = ["task=conversations", part, "train.klWeight=0.1", "train.learningRate=0.01"];
        _tuning.AssertResumesToTheSameBits("base", _rig["talk.jsonl"], settings);
        JsonObject[] lines = Lines("straight");
        double[] kl = Figures(lines, "kl"), weighted = Figures(lines, "klLoss"), drift = Figures(lines, "drift"), loss = Figures(lines, "validationLoss");
        Assert.That(kl[0], Is.EqualTo(0).Within(1e-6), "the first step is the initial model's");
        Assert.That(kl[^1], Is.GreaterThan(1e-5));
        Assert.That(weighted.Zip(kl, (a, b) => Math.Abs(a - (0.1 * b))).Max(), Is.LessThan(1e-6));
        Assert.That(drift, Has.Length.EqualTo(3).And.Ordered.And.All.InRange(1e-5, 0.5));
        Assert.That(loss[^1], Is.LessThan(loss[0]));
        JsonObject evaluated = CommandLine.Json("eval", "--model", _rig["straight"], "--device", "cpu");
        Assert.That((string)evaluated["task"]!, Is.EqualTo("conversations"));
        Assert.That((double)evaluated["loss"]!, Is.LessThanOrEqualTo(loss[0]));
        Assert.That((double)CommandLine.Json("eval", "--model", _rig["straight"], "--data", _rig.TextPath, "--device", "cpu")["bitsPerByte"]!, Is.Positive);
        Assert.That(CommandLine.Run("generate", "--model", _rig["straight"], "--prompt", "User: no. 3\nAssistant:", "--max-tokens", "4", "--device", "cpu").Code, Is.Zero);
    }

    [Test]
    public void AStrongerHoldMovesLess()
    {
        double[] moved = [.. new[] { "0.0001", "10" }.Select(weight =>
        {
            TrainFrom("talk.jsonl", $"kl{weight}", "task=conversations", Lora, $"train.klWeight={weight}", "train.learningRate=0.02");
            return Figures(Lines($"kl{weight}"), "kl")[^1];
        })];
        Assert.That(moved[1], Is.LessThan(0.7 * moved[0]));
    }

    [Test]
    public void PairsArePreferredAndTheReferenceIsKept()
    {
        string[] settings = ["task=preference", Lora, "train.learningRate=0.02"];
        TrainFrom("pairs.jsonl", "straight", settings);
        TrainFrom("pairs.jsonl", "stopped", [.. settings, "train.stopAfter=4"]);
        byte[] reference = File.ReadAllBytes(Path.Combine(_rig["stopped"], PreferenceReference.FileName));
        File.WriteAllText(Path.Combine(_rig["stopped"], PreferenceReference.FileName), "nonsense");
        CommandLine damaged = CommandLine.Run("train", "--resume", _rig["stopped"], "--device", "cpu");
        Assert.That(damaged.Code, Is.EqualTo(1));
        Assert.That(damaged.ErrorLines[^1], Does.Contain(PreferenceReference.FileName).And.EndWith("; delete it, and it is computed again"));
        // Without the file it is computed again, to the same bits.
        File.Delete(Path.Combine(_rig["stopped"], PreferenceReference.FileName));
        _tuning.Resume("stopped");
        Assert.That(File.ReadAllBytes(Path.Combine(_rig["stopped"], PreferenceReference.FileName)), Is.EqualTo(reference));
        _rig.AssertSame("stopped", "straight", 9);

        JsonObject[] lines = Lines("straight");
        double[] loss = Figures(lines, "loss"), margin = Figures(lines, "margin"), accuracy = Figures(lines, "pairAccuracy");
        Assert.That(loss[0], Is.EqualTo(Math.Log(2)).Within(1e-5), "no margin in the beginning");
        Assert.That(margin[0], Is.EqualTo(0).Within(1e-4));
        Assert.That((loss[^1], margin[^1], accuracy[^1]), Is.EqualTo((0.5, 0.5, 1.0)).Within(0.45));
        Assert.That(loss[^1], Is.LessThan(loss[0]));
        Assert.That(Figures(lines, "validationPairAccuracy"), Has.Length.EqualTo(3).And.All.InRange(0, 1));
        Assert.That(Figures(lines, "validationMargin")[^1], Is.GreaterThan(0));

        // Evaluated afterwards it is measured against the same reference, which the run kept or which is computed again.
        AssertEvaluated();
        File.WriteAllText(Path.Combine(_rig["straight"], PreferenceReference.FileName), "nonsense");
        AssertEvaluated();
        File.Delete(Path.Combine(_rig["straight"], PreferenceReference.FileName));
        AssertEvaluated();
        Assert.That(CommandLine.Run("intervene", "--model", _rig["straight"], "--edit", """{"kind":"ablate","points":"blocks.0.hook_mlp_out"}""", "--device", "cpu").Error, Does.Contain("its losses are of pairs, not of places; name a text with --data"));

        void AssertEvaluated()
        {
            JsonObject evaluated = CommandLine.Json("eval", "--model", _rig.Checkpoint("straight", 9), "--device", "cpu");
            Assert.That((double)evaluated["loss"]!, Is.EqualTo(Figures(lines, "validationLoss")[^1]).Within(1e-6));
            Assert.That((double)evaluated["margin"]!, Is.EqualTo(Figures(lines, "validationMargin")[^1]).Within(1e-6));
        }
    }

    [Test]
    public void TheLossIsThatOfAllTokensOfAStepHoweverItIsCut()
    {
        TrainFrom("talk.jsonl", "whole", "task=conversations", "task.pack=false", "train.batch=4");
        TrainFrom("talk.jsonl", "parts", "task=conversations", "task.pack=false", "train.batch=1", "train.accumulate=4");
        double[] whole = Figures(Lines("whole"), "loss"), parts = Figures(Lines("parts"), "loss");
        Assert.That(parts.Zip(whole, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-5));
    }

    [Test]
    public void SomeRowsAreOfTheOldText()
    {
        TrainFrom("talk.jsonl", "without", "task=conversations", "train.learningRate=0.02");
        TrainFrom("talk.jsonl", "run", "task=conversations", "train.learningRate=0.02", $"data.replay={_rig.TextPath}", "data.replayShare=0.5", "train.detailedEvaluation=true", "train.stopAfter=4");
        _tuning.Resume("run");
        JsonObject[] lines = Lines("run");
        double[] old = Figures(lines, "validationReplayLoss");
        Assert.That(old, Has.Length.EqualTo(3).And.All.Positive);
        Assert.That(Figures(Lines("without"), "validationReplayLoss"), Is.Empty);
        Assert.That(Figures(lines, "validationTokens"), Is.EqualTo(Figures(Lines("without"), "validationTokens")), "the loss is that of the task alone");
        JsonObject detail = CommandLine.Json("eval", "--model", _rig["run"], "--detail", "--device", "cpu")["detail"]!.AsObject();
        Assert.That((long)detail["targets"]!, Is.EqualTo((long)Figures(lines, "validationTokens")[0]), "also where it is told apart");
        Assert.That(detail["breakdowns"]!.AsArray(), Is.Not.Empty);
    }

    [TestCase("train.klWeight: is of the model that a run begins with; name it with --init (train.init)", "train.klWeight=1")]
    [TestCase("task: \"preference\" measures a model against what it was; name that with --init (train.init)", "task=preference")]
    [TestCase("train.klWeight: counts places, the loss of task \"preference\" pairs, which task.beta holds near the initial model; leave it out", "task=preference", "train.klWeight=1")]
    [TestCase("task.labelSmoothing: belongs to the loss sigmoid; leave it out", "task=preference", "task.loss=hinge", "task.labelSmoothing=0.1")]
    public void WhatMakesNoSenseIsRefused(string problem, params string[] settings)
        => Assert.That(NanoFold.Tests.Configuration.Configs.Problems(settings), Does.Contain(problem));

    private void TrainFrom(string data, string folder, params string[] more) => _tuning.TrainFrom("base", _rig[data], folder, more);

    private JsonObject[] Lines(string folder) => _tuning.Lines(folder);

    private static double[] Figures(JsonObject[] lines, string key) => TuningRig.Figures(lines, key);
}
