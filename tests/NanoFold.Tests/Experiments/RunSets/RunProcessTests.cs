using NanoFold.Engine.Experiments;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Experiments;

/// <summary>Runs in processes of their own, and in this one.</summary>
public class RunProcessTests
{
    [Test]
    public void ARunHasTheSameBitsInAProcessOfItsOwn()
    {
        using var rig = new TrainRig();
        RunConfig config = rig.Config().Resolve();
        rig.Train("alone", config);
        var plan = new IndependentRuns([new PlannedRun("first", "first", config), new PlannedRun("second", "second", config with { Train = config.Train with { LearningRate = -1 } })]);
        var program = new ProgramStart("dotnet", [Path.Combine(AppContext.BaseDirectory, "nanofold.dll"), "words", "that", "are", "not", "looked", "at"]);
        var recorder = new RunSetRecorder();
        RunSetSummary summary = new RunSet(plan, new RunSetOptions(rig["set"]) { Jobs = 2, Threads = 2, Device = "cpu" }, new ProcessRuns(program)).Run(recorder);

        Assert.That(summary.Status.Runs.Select(run => run.State), Is.EqualTo(new[] { RunState.Over, RunState.Failed }), string.Join('\n', summary.Status.Runs.Select(run => run.Note)));
        Assert.That(File.ReadAllBytes(rig.Checkpoint("set/runs/first", 12, "model.safetensors")), Is.EqualTo(rig.Bytes("alone", 12, "model.safetensors")));
        RunResult result = summary.Results["first"];
        Assert.That((result.End, result.Steps, result.Figure("threads"), result.Json["device"]!.GetValue<string>()), Is.EqualTo(((TrainEnd?)TrainEnd.Finished, 12L, (double?)1, "cpu")));
        Assert.That(result.Score("loss"), Is.EqualTo(RunResult.Find(rig["alone"])!.Score("loss")));
        Assert.That(summary.Failed.Single().Note, Does.Contain("train.learningRate"));
    }

    [TestCase("kill -9 $$", "its process was killed (signal 9), as the system does where memory runs out")]
    [TestCase("echo 'nanofold: the disk is full' >&2; exit 1", "its process ended with exit code 1: nanofold: the disk is full")]
    [TestCase("printf 'Unhandled exception. System.Exception: no\\n   at Outside.Program.Main()\\n' >&2; exit 134", "its process was ended by signal 6: Unhandled exception. System.Exception: no")]
    [Platform("Linux,MacOsX")]
    public void TheEndOfAProcessIsSaidInALine(string script, string said)
    {
        using var rig = new TrainRig();
        var plan = new IndependentRuns([new PlannedRun("run", "run", rig.Config())]);
        RunSetSummary summary = new RunSet(plan, new RunSetOptions(rig["set"]) { Threads = 1 }, new ProcessRuns(new ProgramStart("sh", ["-c", script]))).Run();
        Assert.That(summary.Failed.Single().Note, Is.EqualTo(said));
        Assert.That(RunResult.Find(rig["set/runs/run"])!.Problem, Is.EqualTo(said));
    }

    [TestCase("kill -INT $$")]
    [TestCase("kill -TERM $$")]
    [Platform("Linux,MacOsX")]
    public void AProcessThatASignalEndsWhileItBeginsIsStoppedAndNotFailed(string script)
    {
        using var rig = new TrainRig();
        using var stop = new CancellationTokenSource();
        var plan = new IndependentRuns([new PlannedRun("run", "run", rig.Config())]);
        var observer = new RunSetRecorder { OnProgress = _ => stop.Cancel() };
        RunSetSummary summary = new RunSet(plan, new RunSetOptions(rig["set"]) { Threads = 1 }, new ProcessRuns(new ProgramStart("sh", ["-c", $"read order; read stop; {script}"]))).Run(observer, stop.Token);
        Assert.That((summary.End, summary.Status.Runs[0].State), Is.EqualTo((RunSetEnd.Interrupted, RunState.Stopped)));
        Assert.That(Path.Exists(rig["set/runs/run"]), Is.False, "nothing is written");
    }

    [Test]
    public void ARunThatIsStoppedGoesOnToTheSameBits()
    {
        using var rig = new TrainRig();
        // Long enough to be stopped on the way, whatever the machine does besides.
        RunConfig config = rig.Config("train.steps=1200", "train.evaluateEvery=600", "train.checkpointEvery=600").Resolve();
        var plan = new IndependentRuns([new PlannedRun("run", "run", config)]);
        using var stop = new CancellationTokenSource();
        RunSet Set() => new(plan, new RunSetOptions(rig["set"]) { Threads = 1 }, new InProcessRuns(order => new CpuBackend(order.Threads)));
        RunSetSummary stopped = Set().Run(new RunSetRecorder { OnProgress = status => { if (status.Runs[0].Step > 0) { stop.Cancel(); } } }, stop.Token);
        Assert.That((stopped.End, stopped.Status.Runs[0].State), Is.EqualTo((RunSetEnd.Interrupted, RunState.Stopped)));
        long step = RunResult.Find(rig["set/runs/run"])!.Steps;
        Assert.That(step, Is.InRange(1, 1199));

        Assert.That(Set().Run().IsComplete);
        RunResult result = RunResult.Find(rig["set/runs/run"])!;
        Assert.That((result.End, result.Steps), Is.EqualTo(((TrainEnd?)TrainEnd.Finished, 1200L)));
        rig.Train("alone", config);
        Assert.That(File.ReadAllBytes(rig.Checkpoint("set/runs/run", 1200, "model.safetensors")), Is.EqualTo(rig.Bytes("alone", 1200, "model.safetensors")));
        Assert.That(result.Score("loss"), Is.EqualTo(RunResult.Find(rig["alone"])!.Score("loss")));
    }

    [Test]
    public void AFolderWithAnotherRunIsRefused()
    {
        using var rig = new TrainRig();
        rig.Train("set/runs/run", "train.stopAfter=5");
        var plan = new IndependentRuns([new PlannedRun("run", "run", rig.Config("train.seed=7"))]);
        RunSetSummary summary = new RunSet(plan, new RunSetOptions(rig["set"]) { Threads = 1 }, new InProcessRuns(order => new CpuBackend(order.Threads))).Run();
        Assert.That(summary.Failed.Single().Note, Does.Contain("was begun with train.seed=1; delete it"));
    }

    [Test]
    public void ATestHostIsNotTakenForThisProgram() => Assert.That(ProgramStart.Again(typeof(NanoFold.Cli.Program).Assembly), Is.Null);

    [Test]
    public void ReportsPassThroughTheProtocol()
    {
        var report = new RunReport { Step = 3, Steps = 9, TrainLoss = 1.25, SecondsLeft = 0.5, Note = "tokenizing é" };
        Assert.That(RunProtocol.ReadReport(RunProtocol.Write(report)), Is.EqualTo(report));
        Assert.That(RunProtocol.ReadReport(RunProtocol.Write(new RunReport { Outcome = RunOutcome.InUse })), Is.EqualTo(new RunReport { Outcome = RunOutcome.InUse }));
        Assert.That(new[] { "loading …", "{not json}", "" }.Select(RunProtocol.ReadReport), Is.All.Null, "what a program writes besides is no report");
        var order = new RunOrder("a folder", NanoFold.Tests.Configuration.Configs.Build("tokenizer=byte", "model.vocab=256"), "cpu", 3);
        RunOrder read = RunProtocol.ReadOrder(RunProtocol.Write(order));
        Assert.That((read.Folder, read.Device, read.Threads, read.Config.ToJson()), Is.EqualTo((order.Folder, order.Device, order.Threads, order.Config.ToJson())));
    }
}
