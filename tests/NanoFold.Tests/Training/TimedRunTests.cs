using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training;

/// <summary>Runs with a time budget, on a clock that advances each time it is read.</summary>
[NonParallelizable]
public class TimedRunTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void ATimedRunEndsDecayedEvaluatedAndSavedWithinItsMinutes()
    {
        var recorder = new Recorder();
        (TrainSummary summary, double seconds) = Train("run", new Clock(_ => 0.01), recorder);

        Assert.That(summary.End, Is.EqualTo(TrainEnd.Finished));
        Assert.That(seconds, Is.InRange(0.8 * 6, 6));
        Assert.That(recorder.Evaluations.Keys.Last(), Is.EqualTo(summary.Steps));
        Assert.That((summary.ValidationStep, summary.FullValidation is null), Is.EqualTo((summary.Steps, false)));
        Assert.That(_rig.Checkpoints("run")[^1], Is.EqualTo(summary.Steps));
        double[] rates = Rates("run");
        Assert.That(rates, Has.Length.EqualTo(summary.Steps));
        Assert.That(rates[^1], Is.LessThan(0.1 * rates.Max()));
        Assert.That(rates.Max(), Is.EqualTo(RunConfig.Load(_rig["run"]).Train.LearningRate).Within(25).Percent);
        // Every plan is in the log and in the state.
        Assert.That(Plans("run"), Is.Not.Empty.And.EqualTo(TrainState.Load(_rig.Checkpoint("run", summary.Steps)).Plans));
    }

    [Test]
    public void SlowedByOtherWorkItStillDoes()
    {
        (TrainSummary summary, double seconds) = Train("run", new Clock(t => t > 2 ? 0.025 : 0.01));

        Assert.That(summary.End, Is.EqualTo(TrainEnd.Finished));
        Assert.That(seconds, Is.InRange(0.7 * 6, 6));
        Assert.That(Rates("run")[^1], Is.LessThan(0.15 * Rates("run").Max()));
    }

    [Test]
    public void StoppedForLongerThanItsTimeItEndsAtOnce()
    {
        (TrainSummary summary, _) = Train("run", new Clock(t => t is > 3 and < 4 ? 100 : 0.01));

        Assert.That(summary.End, Is.EqualTo(TrainEnd.OutOfTime).Or.EqualTo(TrainEnd.Finished));
        Assert.That(summary.ValidationStep, Is.EqualTo(summary.Steps));
        Assert.That(TrainState.Load(_rig.Checkpoint("run", summary.Steps)).Steps, Is.EqualTo(summary.Steps), "nothing is left to be done");
    }

    [Test]
    public void AKilledTimedRunRepeatsItsPlansToTheSameBits()
    {
        Train("straight", new Clock(t => t > 2 ? 0.02 : 0.01));
        long[] saved = _rig.Checkpoints("straight");

        // As a kill after the last line of the log leaves it, with an older checkpoint.
        CopyFolder(_rig["straight"], _rig["run"]);
        Directory.Delete(_rig.Checkpoint("run", saved[^1]), recursive: true);
        Assert.That(Plans("run").Count(plan => plan.Step > saved[^2]), Is.Positive, "plans after the checkpoint");

        // The second start is on a machine of another speed.
        using (var backend = new CpuBackend(1))
        using (var session = TrainSession.Resume(_rig["run"], backend))
        {
            session.Clock = new Clock(_ => 0.003);
            Assert.That(new TrainLoop(session).Run().Steps, Is.EqualTo(saved[^1]));
        }

        Assert.That(Plans("run"), Is.EqualTo(Plans("straight")));
        Assert.That(Rates("run"), Is.EqualTo(Rates("straight")));
        _rig.AssertSame("run", "straight", saved[^1], metrics: false);
    }

    [Test]
    public void TheTimeOfAllStartsCounts()
    {
        var clock = new Clock(_ => 0.01);
        using (var backend = new CpuBackend(1))
        using (var session = TrainSession.Open(Config("train.stopAfter=60"), backend, _rig["run"]))
        {
            session.Clock = clock;
            Assert.That(new TrainLoop(session).Run().End, Is.EqualTo(TrainEnd.StoppedAfter));
        }

        double before = TrainState.Load(_rig.Checkpoint("run", 60)).ElapsedSeconds!.Value;
        var second = new Clock(_ => 0.01);
        using (var backend = new CpuBackend(1))
        using (var session = TrainSession.Resume(_rig["run"], backend))
        {
            session.Clock = second;
            Assert.That(new TrainLoop(session).Run().End, Is.EqualTo(TrainEnd.Finished));
        }

        Assert.That(before, Is.GreaterThan(2));
        Assert.That(before + second.Now, Is.InRange(0.8 * 6, 6.1));
    }

    [Test]
    public void WhatIsLeftIsKnownFromTheBeginning()
    {
        var reports = new List<StepReport>();
        Train("run", new Clock(_ => 0.01), new Recorder(onReport: reports.Add));

        Assert.That(reports[0].Steps, Is.Null);
        Assert.That(reports.Select(r => r.SecondsLeft), Has.All.InRange(0, 6));
        Assert.That(reports[^1].Steps, Is.EqualTo(reports.Count));
        Assert.That(reports.Skip(40).Select(r => r.Steps), Has.None.Null);
    }

    [Test]
    public void ACheckpointIsWrittenAfterItsMinutes()
    {
        var recorder = new Recorder();
        using var backend = new CpuBackend(1);
        using var session = TrainSession.Open(_rig.Config("train.steps=40", "train.checkpointEvery=40", "train.evaluateEvery=40", "train.checkpointMinutes=0.02"), backend, _rig["run"]);
        session.Clock = new Clock(_ => 0.02);
        new TrainLoop(session, recorder).Run();

        Assert.That(recorder.Checkpoints, Has.Count.InRange(2, 6));
        Assert.That(recorder.Checkpoints[^1], Is.EqualTo(40));
        Assert.That(recorder.Checkpoints[0], Is.InRange(5, 30));
    }

    private RunConfig Config(params string[] more)
    {
        string[] settings = [.. _rig.Settings().Where(s => !s.StartsWith("train.steps") && !s.Contains("Every=")), "train.minutes=0.1", "train.keepCheckpoints=50", .. more];
        return settings.Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();
    }

    private (TrainSummary Summary, double Seconds) Train(string folder, Clock clock, Recorder? recorder = null)
    {
        using var backend = new CpuBackend(1);
        using var session = TrainSession.Open(Config(), backend, _rig[folder]);
        session.Clock = clock;
        TrainSummary summary = new TrainLoop(session, recorder).Run();
        return (summary, clock.Now);
    }

    private double[] Rates(string folder) =>
        [.. Lines(folder).Where(line => line.TryGetProperty("learningRate", out _)).Select(line => line.GetProperty("learningRate").GetDouble())];

    private FittedPlan[] Plans(string folder) =>
    [
        .. Lines(folder).Where(line => line.TryGetProperty("plannedSteps", out _))
            .Select(line => new FittedPlan(line.GetProperty("step").GetInt64(), line.GetProperty("plannedSteps").GetInt32(), line.GetProperty("evaluateEvery").GetInt32())),
    ];

    private IReadOnlyList<System.Text.Json.JsonElement> Lines(string folder) => JsonLinesLog.Read(Path.Combine(_rig[folder], RunFolder.MetricsFile));

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private sealed class Clock(Func<double, double> advance) : TimeProvider
    {
        private double _now;

        public double Now => _now;

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp()
        {
            _now += advance(_now);
            return (long)(_now * 1e6);
        }
    }
}
