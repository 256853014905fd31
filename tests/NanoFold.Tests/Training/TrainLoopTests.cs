using System.Text.Json;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training;

/// <summary>How a run goes on, and the ways in which it ends.</summary>
[NonParallelizable]
public class TrainLoopTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void TheLossFallsAndEverythingIsReported()
    {
        var recorder = new Recorder();
        TrainSummary summary = _rig.Train("run", _rig.Config("train.steps=60", "train.evaluateEvery=20", "train.checkpointEvery=20"), observer: recorder);

        Assert.That((summary.End, summary.Steps), Is.EqualTo((TrainEnd.Finished, 60L)));
        Assert.That(recorder.Steps, Is.EqualTo(Enumerable.Range(1, 60)));
        Assert.That(recorder.Losses[0], Is.EqualTo(Math.Log(256)).Within(0.2));
        Assert.That(recorder.Losses.TakeLast(5).Average(), Is.LessThan(recorder.Losses[0] - 1.5));
        Assert.That(recorder.Evaluations.Keys, Is.EqualTo(new long[] { 20, 40, 60 }));
        Assert.That(recorder.Checkpoints, Is.EqualTo(new long[] { 20, 40, 60 }));
        Assert.That(summary.Validation, Is.EqualTo(recorder.Evaluations[60]));
        Assert.That(summary.TrainLoss, Is.EqualTo(recorder.Losses.TakeLast(50).Average()).Within(1e-12));
        Assert.That(summary.TokensPerSecond, Is.Positive);
    }

    [Test]
    public void CheckpointsArePrunedAndTheBestStays()
    {
        // What is learned from one letter only makes the validation of other text worse, so the first is the best.
        string text = _rig.Write("a.txt", new string('a', 500)), other = _rig.Write("b.txt", TrainRig.Text);
        var recorder = new Recorder();
        _rig.Train("run", _rig.Config($"data.path={text}", $"data.validation={other}", "train.evaluateEvery=2", "train.checkpointEvery=2", "train.learningRate=0.1", "train.matrixLearningRate=0.1"), observer: recorder);

        Assert.That(recorder.Checkpoints, Is.EqualTo(new long[] { 2, 4, 6, 8, 10, 12 }));
        long best = recorder.Evaluations.MinBy(e => e.Value.Loss).Key;
        Assert.That(best, Is.LessThan(10), string.Join(", ", recorder.Evaluations.Select(e => e.Value.Loss)));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new[] { best, 10, 12 }));
        Assert.That(SavedRun.FindCheckpoint(_rig["run"]), Is.EqualTo(_rig.Checkpoint("run", best)));
        Assert.That(TrainState.Load(_rig.Checkpoint("run", 12)).BestLoss, Is.EqualTo(recorder.Evaluations[best].Loss));
    }

    [Test]
    public void ACheckpointIsTheBestOnlyByItsOwnEvaluation()
    {
        // Evaluated at 4, 8 and 12, saved at 3, 6, 9 and 12.
        _rig.Train("run", "train.evaluateEvery=4", "train.checkpointEvery=3");

        Assert.That(SavedRun.FindCheckpoint(_rig["run"]), Does.EndWith("step-000012"));
        Assert.That(TrainState.Load(_rig.Checkpoint("run", 9)).BestLoss, Is.Null);
    }

    /// <summary>A curve is of the same text from its first point to its last, and all of the text has figures of its own at the end.</summary>
    [Test]
    public void EvaluationsTakeTheSameWindowsAndTheLastAllBesides()
    {
        var recorder = new Recorder();
        TrainSummary summary = _rig.Train("run", _rig.Config("train.evaluationWindows=3", "train.evaluateEvery=4"), observer: recorder);

        Assert.That(recorder.Evaluations.Select(e => (e.Key, e.Value.Tokens)), Is.EqualTo(new[] { (4L, 24L), (8L, 24L), (12L, 24L) }));
        Assert.That(recorder.FullEvaluations.Select(e => (e.Key, e.Value.Tokens)), Is.EqualTo(new[] { (12L, TrainRig.Text.Length / 4 - 1L) }));
        Assert.That((summary.Validation, summary.FullValidation), Is.EqualTo(((Evaluation?)recorder.Evaluations[12], (Evaluation?)recorder.FullEvaluations[12])));
        TrainState state = TrainState.Load(_rig.Checkpoint("run", 12));
        Assert.That((state.LastEvaluation, state.FullEvaluation, state.BestLoss), Is.EqualTo((summary.Validation, summary.FullValidation, (double?)recorder.Evaluations.Min(e => e.Value.Loss))));

        JsonElement[] lines = [.. JsonLinesLog.Read(Path.Combine(_rig["run"], RunFolder.MetricsFile)).Where(line => line.TryGetProperty("validationLoss", out _))];
        Assert.That(lines.Select(line => line.GetProperty("validationTokens").GetInt64()), Is.All.EqualTo(24).And.Exactly(3).Items);
        Assert.That(lines.Count(line => line.TryGetProperty("fullValidationLoss", out _)), Is.EqualTo(1));
        Assert.That(lines[^1].GetProperty("fullValidationLoss").GetDouble(), Is.EqualTo(recorder.FullEvaluations[12].Loss));
    }

    [Test]
    public void SamplesAreTakenOnTheWay()
    {
        var recorder = new Recorder();
        _rig.Train("run", _rig.Config("train.sampleEvery=5", "train.samplePrompt=no. ", "generation.maxTokens=6"), observer: recorder);

        Assert.That(recorder.Samples.Select(s => s.Step), Is.EqualTo(new long[] { 5, 10 }));
        Assert.That(recorder.Samples, Has.All.Matches<(long Step, string Text)>(s => s.Text.Length > 0));
        IEnumerable<(long, string?, string?)> Kept() => JsonLinesLog.Read(Path.Combine(_rig["run"], RunFolder.SamplesFile))
            .Select(line => (line.GetProperty("step").GetInt64(), line.GetProperty("prompt").GetString(), line.GetProperty("text").GetString()));
        Assert.That(Kept(), Is.EqualTo(recorder.Samples.Select(s => (s.Step, "no. ", s.Text))));

        // A sample that was taken after the checkpoint that a run goes on from is not kept twice.
        _rig.Train("other", "train.sampleEvery=5", "train.samplePrompt=no. ", "generation.maxTokens=6", "train.stopAfter=11", "train.checkpointEvery=4");
        Directory.Delete(_rig.Checkpoint("other", 11), recursive: true);
        _rig.Resume("other");
        Assert.That(File.ReadAllText(Path.Combine(_rig["other"], RunFolder.SamplesFile)), Is.EqualTo(File.ReadAllText(Path.Combine(_rig["run"], RunFolder.SamplesFile))));
    }

    [Test]
    public void WithoutSamplesThereIsNoFileOfThem()
    {
        _rig.Train("run", "train.stopAfter=1");
        Assert.That(File.Exists(Path.Combine(_rig["run"], RunFolder.SamplesFile)), Is.False);
    }

    [Test]
    public void AskedToStopItFinishesTheStepAndSaves()
    {
        using var stop = new CancellationTokenSource();
        var recorder = new Recorder(step => { if (step == 4) { stop.Cancel(); } });
        TrainSummary summary = _rig.Train("run", _rig.Config(), observer: recorder, stop: stop.Token);

        Assert.That((summary.End, summary.Steps), Is.EqualTo((TrainEnd.Interrupted, 4L)));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 4 }));

        _rig.Resume("run");
        _rig.Train("straight");
        _rig.AssertSame("run", "straight", 12);
    }

    /// <summary>Someone cuts a file of the token cache short while it is trained on: what was learned is saved, and the entry made anew on going on.</summary>
    [TestCase("train.tokens")]
    [TestCase("validation.tokens")]
    public void ATextThatIsCutShortEndsItWithACheckpoint(string name)
    {
        var recorder = new Recorder(step =>
        {
            if (step == 4)
            {
                using var file = new FileStream(Directory.GetFiles(_rig["cache"], name, SearchOption.AllDirectories).Single(), FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
                file.SetLength(64);
            }
        });
        UserException fault = Assert.Throws<UserException>(() => _rig.Train("run", _rig.Config("train.checkpointEvery=100"), observer: recorder))!;

        Assert.That(fault.Message, Does.Contain($"{name}: became shorter").And.Contains("is saved in"));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { name == "train.tokens" ? 5 : 6 }));
        _rig.Resume("run");
        _rig.Train("straight", "train.checkpointEvery=100");
        // The evaluation that could not be made is not made up for.
        _rig.AssertSame("run", "straight", 12, metrics: name == "train.tokens");
    }

    [Test]
    public void AskedToStopInAnEvaluationItIsMadeWhenTheRunGoesOn()
    {
        using var stop = new CancellationTokenSource();
        var recorder = new Recorder(step => { if (step == 6) { stop.Cancel(); } });
        TrainSummary summary = _rig.Train("run", _rig.Config(), observer: recorder, stop: stop.Token);
        Assert.That((summary.End, summary.Steps, recorder.Evaluations.Count), Is.EqualTo((TrainEnd.Interrupted, 6L, 0)));

        _rig.Resume("run");
        _rig.Train("straight");
        _rig.AssertSame("run", "straight", 12);
        Assert.That(_rig.Metrics("run").Count(line => line.Contains("validationLoss")), Is.EqualTo(2));
    }

    [TestCase(12)]
    [TestCase(24)]
    public void AskedToStopInTheLastEvaluationTheRunIsNotFinished(int evaluateEvery)
    {
        using var stop = new CancellationTokenSource();
        var recorder = new Recorder(step => { if (step == 12) { stop.Cancel(); } });
        TrainSummary summary = _rig.Train("run", _rig.Config($"train.evaluateEvery={evaluateEvery}"), observer: recorder, stop: stop.Token);
        Assert.That((summary.End, summary.Steps, summary.ValidationStep), Is.EqualTo((TrainEnd.Interrupted, 12L, (long?)null)));

        TrainSummary resumed = _rig.Resume("run");
        Assert.That((resumed.End, resumed.ValidationStep), Is.EqualTo((TrainEnd.Finished, (long?)12)));
        Assert.That(SavedRun.FindCheckpoint(_rig["run"]), Does.EndWith("step-000012"));
        Assert.That(TrainState.Load(_rig.Checkpoint("run", 12)).BestLoss, Is.EqualTo(resumed.Validation!.Value.Loss));
    }

    [Test]
    public void AskedToStopBeforeTheFirstStepItCanStillBeTakenUp()
    {
        TrainSummary summary = _rig.Train("run", _rig.Config(), stop: new CancellationToken(canceled: true));

        Assert.That((summary.End, summary.Steps), Is.EqualTo((TrainEnd.Interrupted, 0L)));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 0 }));
        Assert.That(_rig.Resume("run").Steps, Is.EqualTo(12));
    }

    [Test]
    public void TheTimeBudgetEndsIt()
    {
        TrainSummary summary = _rig.Train("run", "train.minutes=0.0005", "train.steps=1000000", "train.evaluateEvery=1000000", "train.checkpointEvery=1000000");

        // Where the steps are timed before the time is up, the plan is shortened to what fits, and may be finished.
        Assert.That(summary.End, Is.AnyOf(TrainEnd.OutOfTime, TrainEnd.Finished));
        Assert.That(summary.Steps, Is.Positive.And.LessThan(1_000_000));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new[] { summary.Steps }));
    }

    [Test]
    public void APlanFittedToTheTimeIsRemembered()
    {
        using (var backend = new CpuBackend(1))
        using (var session = TrainSession.Open(_rig.Config("train.stopAfter=3"), backend, _rig["run"]))
        {
            session.Replan(9);
            Assert.That(new TrainLoop(session).Run().Steps, Is.EqualTo(3));
        }

        Assert.That(_rig.Resume("run").Steps, Is.EqualTo(9));
        Assert.That(_rig.Metrics("run")[^2], Does.Contain("step=9 "));
    }

    [Test]
    public void TheSecondsOfAllStartsAddUp()
    {
        using var backend = new CpuBackend(1);
        using (var session = TrainSession.Open(_rig.Config(), backend, _rig["run"]))
        {
            session.Save(1, 2.5);
            session.Save(2, 4);
            Assert.That(session.State.Seconds, Is.EqualTo(4));
        }

        using (var session = TrainSession.Resume(_rig["run"], backend))
        {
            session.Save(3, 1);
            Assert.That(session.State.Seconds, Is.EqualTo(5));
        }
    }

    [Test]
    public void AnAutomaticBatchIsRecorded()
    {
        var notes = new List<string>();
        using (var backend = new CpuBackend(1))
        using (var session = TrainSession.Open(_rig.Config("train.batch=auto", "train.stopAfter=1", "train.warmup=0"), backend, _rig["run"], notes.Add))
        {
            Assert.That(session.Config.Train.Batch, Is.Positive);
            Assert.That(notes, Has.Some.StartsWith($"batch {session.Config.Train.Batch}: "));
            new TrainLoop(session).Run();
        }

        Assert.That(RunConfig.Load(_rig["run"]).Train.Batch, Is.Positive);
        Assert.That(RunConfig.Load(_rig["run"]).Train.StopAfter, Is.Zero);
    }

    [TestCase("model.layers.1.mlp.gate_proj.weight", "blocks.1.mlp.")]
    [TestCase("model.layers.0.self_attn.q_proj.weight", "blocks.0.attn.")]
    public void AValueThatIsNotFiniteIsNamedAndTheStateBeforeItStays(string parameter, string point)
    {
        using var backend = new CpuBackend(1);
        using var session = TrainSession.Open(_rig.Config(), backend, _rig["run"]);
        float[] values = [];
        var recorder = new Recorder(step =>
        {
            if (step == 7)
            {
                values = Swap(session, parameter, [float.NaN]);
            }
        });

        UserException fault = Assert.Throws<DivergedException>(() => new TrainLoop(session, recorder).Run())!;
        Assert.That(fault.Message, Does.StartWith($"step 8: {point}").And.Contain(" is not finite; the state before it is saved in ").And.Contain("train.learningRate"));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 5, 7 }));
        Assert.That(values, Has.Length.EqualTo(1));

        // Nothing but the poisoned element is different from a run to whose step 7 nothing was done.
        _rig.Train("straight", "train.stopAfter=7");
        Assert.That(_rig.Bytes("run", 7, OptimizerFile.Name), Is.EqualTo(_rig.Bytes("straight", 7, OptimizerFile.Name)));
        byte[] poisoned = _rig.Bytes("run", 7, ModelFile.Name), sound = _rig.Bytes("straight", 7, ModelFile.Name);
        Assert.That(poisoned.Zip(sound).Count(pair => pair.First != pair.Second), Is.InRange(1, 4));
    }

    [Test]
    public void ADivergedRunStopsAndItsLastStateCanBeTakenUp()
    {
        // A step of 1e30 overflows the first product after it.
        RunConfig config = _rig.Config("train.optimizer=adamw", "train.learningRate=1e30", "train.warmup=0", "train.evaluateEvery=12", "train.checkpointEvery=12");
        UserException fault = Assert.Throws<DivergedException>(() => _rig.Train("run", config))!;

        Assert.That(fault.Message, Does.Match(@"^step \d+: \S.* is not finite; the state before it is saved in "));
        long[] saved = _rig.Checkpoints("run");
        Assert.That(saved, Has.Length.EqualTo(1));
        Assert.That(fault.Message, Does.StartWith($"step {saved[0] + 1}: "));
        Assert.That(Assert.Throws<DivergedException>(() => _rig.Resume("run"))!.Message, Is.EqualTo(fault.Message));
    }

    [Test]
    public void ARunWhoseLossIsBeyondEveryPerplexityHasDiverged()
    {
        // Muon's step of 10 gives losses of hundreds of nats, all of them finite.
        RunConfig config = _rig.Config("train.learningRate=10", "train.steps=60", "train.warmup=6", "train.evaluateEvery=12", "train.checkpointEvery=4");
        var recorder = new Recorder();
        UserException fault = Assert.Throws<DivergedException>(() => _rig.Train("run", config, observer: recorder))!;

        (long step, Evaluation evaluation) = recorder.Evaluations.Last();
        Assert.That(evaluation.Loss, Is.GreaterThan(Math.Log(double.MaxValue)).And.LessThan(1e6));
        Assert.That(fault.Message, Does.StartWith($"step {step}: the validation loss is ").And.Contain("nats per token, where guessing has 5.5452: the run has diverged; the state of step ").And.Contain("train.learningRate"));
        // The last state before the losses rose that far.
        long[] saved = _rig.Checkpoints("run");
        Assert.That(saved, Is.Not.Empty.And.All.LessThan(step));
        Assert.That(recorder.Losses[(int)saved[^1] - 1], Is.LessThan(Math.Log(double.MaxValue)));
        Assert.That(fault.Message, Does.Contain($"the state of step {saved[^1]} is saved in {_rig["run"]}"));
    }

    [Test]
    public void WithoutValidationTheLossOfManyStepsTells()
    {
        var recorder = new Recorder();
        RunConfig config = _rig.Config("data.validationFraction=0", "train.learningRate=1000", "train.schedule=constant", "train.steps=60", "train.warmup=0", "train.checkpointEvery=60", "train.evaluateEvery=60");
        UserException fault = Assert.Throws<DivergedException>(() => _rig.Train("run", config, observer: recorder))!;

        Assert.That(fault.Message, Does.Match(@"^step \d+: the loss is [\d.]+ nats per token, where guessing has 5\.5452: the run has diverged; the state of step "));
        Assert.That(recorder.Losses.TakeLast(20), Has.All.GreaterThan(Math.Log(double.MaxValue)));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new[] { recorder.Steps[^1] }));
    }

    [Test]
    public void AValidationThatIsNotFiniteStopsToo()
    {
        using var backend = new CpuBackend(1);
        using var session = TrainSession.Open(_rig.Config("train.evaluateEvery=3"), backend, _rig["run"]);
        var recorder = new Recorder(step => { if (step == 3) { Swap(session, "lm_head.weight", [float.NaN]); } });

        UserException fault = Assert.Throws<DivergedException>(() => new TrainLoop(session, recorder).Run())!;
        Assert.That(fault.Message, Does.StartWith("step 4: ").And.Contain("is not finite"));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 3 }));
        Assert.That(double.IsNaN(recorder.Evaluations[3].Loss));
        Assert.That(_rig.Metrics("run"), Has.Length.EqualTo(3));
    }

    [Test]
    public void WhatIsMadeInCodeIsCheckedAsWhatIsRead()
    {
        using var backend = new CpuBackend(1);
        var config = new RunConfig
        {
            Tokenizer = new ByteTokenizerConfig(),
            Data = new DataConfig { Path = _rig.TextPath },
            Model = new() { Layers = 0, Width = 15, Heads = 2 },
            Train = new TrainConfig { Steps = 0 },
        };

        ConfigException fault = Assert.Throws<ConfigException>(() => TrainSession.Open(config, backend, _rig["run"]))!;
        Assert.That(fault.Problems.Select(p => p.Path), Is.SupersetOf(new[] { "model.layers", "train.steps" }));
        Assert.That(Directory.Exists(_rig["run"]), Is.False);
    }

    private static float[] Swap(TrainSession session, string parameter, float[] values)
    {
        Parameter found = session.Model.Store[parameter];
        var view = session.Model.Store.Values(found).With(NanoFold.Kernels.Layout.Of(values.Length), 5);
        var before = new float[values.Length];
        session.Model.Backend.Download(view, before.AsSpan());
        session.Model.Backend.Upload<float>(values, view);
        return before;
    }
}
