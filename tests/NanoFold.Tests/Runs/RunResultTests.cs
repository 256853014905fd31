using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary><c>result.json</c> says how the last start of a run ended.</summary>
public class RunResultTests
{
    [Test]
    public void ARunSaysHowItEnded()
    {
        using var rig = new TrainRig();
        TrainSummary summary = rig.Train("run");
        RunResult result = RunResult.Find(rig["run"])!;
        Assert.That((result.End, result.IsOver, result.IsDone, result.Steps, result.Problem), Is.EqualTo(((TrainEnd?)TrainEnd.Finished, true, true, 12L, (string?)null)));
        Assert.That((result.Figure("trainLoss"), result.Figure("validationLoss")), Is.EqualTo(((double?)summary.TrainLoss, (double?)summary.Validation!.Value.Loss)));
        Assert.That(result.Score("loss"), Is.EqualTo(summary.FullValidation?.Loss ?? summary.Validation.Value.Loss));
        Assert.That(result.Figure("tokensPerSecond"), Is.EqualTo(summary.TokensPerSecond).Within(1e-6).Percent);
        Assert.That(result.Json.Select(pair => pair.Key), Is.SupersetOf(new[] { "steps", "seconds", "run", "end", "device", "threads", "instructionSet", "peakRssBytes" }));
        Assert.That(result.Figure("threads"), Is.EqualTo(1));

        // A start that takes no step changes nothing.
        string before = File.ReadAllText(Path.Combine(rig["run"], RunResult.FileName));
        rig.Resume("run");
        Assert.That(File.ReadAllText(Path.Combine(rig["run"], RunResult.FileName)), Is.EqualTo(before));
    }

    [Test]
    public void ItIsTakenAwayWhileTheRunGoesOn()
    {
        using var rig = new TrainRig();
        rig.Train("run", "train.stopAfter=5");
        RunResult stopped = RunResult.Find(rig["run"])!;
        Assert.That((stopped.End, stopped.IsOver, stopped.Steps), Is.EqualTo(((TrainEnd?)TrainEnd.StoppedAfter, false, 5L)));
        double seconds = stopped.Figure("seconds")!.Value;

        bool wasThere = true;
        using (var backend = new CpuBackend(1))
        using (var session = TrainSession.Resume(rig["run"], backend))
        {
            new TrainLoop(session, new Watching(() => wasThere = RunResult.Find(rig["run"]) is not null)).Run();
        }

        RunResult result = RunResult.Find(rig["run"])!;
        Assert.That((wasThere, result.End, result.Steps), Is.EqualTo((false, (TrainEnd?)TrainEnd.Finished, 12L)));
        Assert.That(result.Figure("seconds"), Is.GreaterThan(seconds), "of all starts together");
    }

    [Test]
    public void ADivergedRunIsOverAndNotDone()
    {
        using var rig = new TrainRig();
        DivergedException fault = Assert.Throws<DivergedException>(() => rig.Train("run", "train.learningRate=1e30", "train.warmup=0", "train.clip=0"))!;
        RunResult result = RunResult.Find(rig["run"])!;
        Assert.That((result.End, result.IsOver, result.IsDone, result.Problem), Is.EqualTo(((TrainEnd?)TrainEnd.Diverged, true, false, fault.Message)));
    }

    [Test]
    public void WhatCannotBeReadIsNoResult()
    {
        using var folder = new TemporaryFolder();
        string path = folder[RunResult.FileName];
        foreach (string text in new[] { "", "[1]", "{", "{\"end\": 3}", "{\"end\": \"of another version\"}" })
        {
            File.WriteAllText(path, text);
            Assert.That(RunResult.Find(folder.Path)?.IsOver ?? false, Is.False, text);
        }

        new RunResult(new JsonObject { ["end"] = "finished", ["validationLoss"] = double.NaN, ["validationAccuracy"] = 0.5 }).Write(folder.Path);
        RunResult read = RunResult.Find(folder.Path)!;
        Assert.That((read.IsDone, read.Score("loss"), read.Score("accuracy")), Is.EqualTo((true, (double?)null, (double?)0.5)));
    }

    private sealed class Watching(Action look) : ITrainObserver
    {
        public void Note(string line)
        {
        }

        public void Stepped(in StepReport report) => look();

        public void Evaluated(long step, NanoFold.Engine.Tasks.Evaluation evaluation, NanoFold.Engine.Tasks.Evaluation? full)
        {
        }

        public void Sampled(long step, string text)
        {
        }

        public void Saved(long step, string path)
        {
        }
    }
}
