using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Where a run can be taken up again: elsewhere, at an earlier checkpoint, for longer.</summary>
[NonParallelizable]
public class ResumePointTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    [Test]
    public void ACheckpointMeansItsRunAtThatStep()
    {
        _rig.Train("straight");
        _rig.Train("run");
        string[] before = Directory.GetFileSystemEntries(_rig.Checkpoint("run", 10));
        CommandLine run = CommandLine.Run("train", "--resume", _rig.Checkpoint("run", 10), "--device", "cpu", "--set", "train.stopAfter=11");

        Assert.That((run.Code, run.Error), Is.EqualTo((0, "nanofold: going back to step 10: deleted what came after it, step-000012\n")));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 10, 11 }));
        Assert.That(Directory.GetFileSystemEntries(_rig.Checkpoint("run", 10)), Is.EquivalentTo(before));
        Assert.That(_rig.Metrics("run")[^1], Does.StartWith("step=11 "));
        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu").Code, Is.Zero);
        _rig.AssertSame("run", "straight", 12);
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void ALinkToACheckpointMeansIt()
    {
        _rig.Train("run", "train.stopAfter=7");
        Directory.CreateSymbolicLink(_rig["latest"], _rig.Checkpoint("run", 5));

        Assert.That(ResumePoint.Of(_rig["latest"]), Is.EqualTo(new ResumePoint(_rig["run"], 5)));
        Assert.That(ResumePoint.Of(_rig["run"]), Is.EqualTo(new ResumePoint(_rig["run"], null)));
    }

    [Test]
    public void AStepThatTheRunHasNotIsRefused()
    {
        _rig.Train("run", "train.stopAfter=7");
        CommandLine run = CommandLine.Run("train", "--resume", _rig.Checkpoint("run", 6), "--device", "cpu");

        Assert.That((run.Code, run.Error), Is.EqualTo((1, $"nanofold: {_rig["run"]}: has no checkpoint of step 6; it has those of 5, 7\n")));
    }

    [Test]
    public void ACheckpointOutsideOfItsRunIsRefused()
    {
        _rig.Train("run", "train.stopAfter=7");
        Directory.Move(_rig.Checkpoint("run", 7), _rig["step-000007"]);
        string[] before = Directory.GetFileSystemEntries(_rig["step-000007"]);

        Assert.That(
            () => ResumePoint.Of(_rig["step-000007"]),
            Throws.TypeOf<UserException>().With.Message.StartsWith($"{_rig["step-000007"]}: is a checkpoint outside of its run").And.Message.EndsWith($"--init {_rig["step-000007"]}"));
        Assert.That(CommandLine.Run("train", "--resume", _rig["step-000007"]).Code, Is.EqualTo(1));
        Assert.That(Directory.GetFileSystemEntries(_rig["step-000007"]), Is.EquivalentTo(before));
    }

    [Test]
    public void ARunOnAPipeGoesOnWhereItsTextIsGivenAgain()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("pipes have no file names here");
        }

        _rig.Train("straight");
        string pipe = _rig["pipe"];
        using (var made = System.Diagnostics.Process.Start("mkfifo", [pipe]))
        {
            made.WaitForExit();
        }

        var writer = Task.Run(() => File.WriteAllText(pipe, TrainRig.Text));
        _rig.Train("run", $"data.path={pipe}", "train.stopAfter=5");
        writer.Wait();
        Assert.That(RunConfig.Load(_rig["run"]).Data.Path, Is.EqualTo(Corpus.Pipe));

        CommandLine gone = CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu");
        Assert.That((gone.Code, gone.Error), Is.EqualTo(
            (1, "nanofold: the text came through a pipe, which could be read only once: give it again with --data\n")));
        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu", "--data", _rig.TextPath).Code, Is.Zero);
        _rig.AssertSame("run", "straight", 12);
    }

    [Test]
    public void ARunThatWasBegunElsewhereAndMovedGoesOn()
    {
        _rig.Train("straight");
        string before = Environment.CurrentDirectory;
        Directory.CreateDirectory(_rig["there"]);
        File.Copy(_rig.TextPath, Path.Combine(_rig["there"], "text.txt"));
        try
        {
            Environment.CurrentDirectory = _rig["there"];
            _rig.Train("there/run", "data.path=text.txt", "train.stopAfter=5");
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }

        string found = Path.Combine(_rig["there"], "text.txt");
        Assert.That(RunConfig.Load(_rig["there/run"]).Data.Path, Is.EqualTo(found));
        Directory.Move(_rig["there/run"], _rig["moved"]);
        Assert.That(CommandLine.Run("train", "--resume", _rig["moved"], "--device", "cpu", "--set", "train.stopAfter=7").Code, Is.Zero);

        string[] reading = ["--model", _rig["moved"], "--device", "cpu"];
        Assert.That(CommandLine.Run(["generate", .. reading, "--max-tokens", "2"]).Code, Is.Zero);
        Assert.That(CommandLine.Run(["eval", .. reading, "--data", _rig.TextPath]).Code, Is.Zero);

        // Its text moves too.
        File.Move(found, _rig["elsewhere.txt"]);
        foreach (string[] verb in new string[][] { ["train", "--resume", _rig["moved"], "--device", "cpu"], ["eval", .. reading], ["geometry", .. reading] })
        {
            CommandLine lost = CommandLine.Run(verb);
            Assert.That((lost.Code, lost.ErrorLines.Length), Is.EqualTo((1, 1)));
            Assert.That(lost.Error, Does.StartWith($"nanofold: {found}: ").And.EndWith("; say where the run's text is now with --data\n"));
        }

        CommandLine ablated = CommandLine.Run(["generate", .. reading, "--edit", "{\"kind\": \"ablate\", \"points\": \"blocks.0.hook_mlp_out\", \"mode\": \"mean\"}"]);
        Assert.That(ablated.Error, Does.StartWith($"nanofold: {found}: ").And.EndWith("; mean is of the run's text: put it back there, or ablate with mode zero\n"));

        File.WriteAllText(_rig["other.txt"], TrainRig.Text + "more");
        Assert.That(
            CommandLine.Run("train", "--resume", _rig["moved"], "--device", "cpu", "--data", _rig["other.txt"]).Error,
            Does.EndWith($"nanofold: {_rig["other.txt"]}: has changed since the run began; resuming needs the same text\n"));

        Assert.That(CommandLine.Run("train", "--resume", _rig["moved"], "--device", "cpu", "--data", _rig["elsewhere.txt"], "--set", "train.stopAfter=9").Code, Is.Zero);
        Assert.That(CommandLine.Run("train", "--resume", _rig["moved"], "--device", "cpu").Code, Is.Zero, "it remembers");
        _rig.AssertSame("moved", "straight", 12);
    }

    [Test]
    public void WhatARunRemembersIsNamedFromTheRoot()
    {
        RunConfig config = FullPaths.Of(new RunConfig
        {
            Data = new DataConfig { Path = "a/**/*.txt", Validation = Path.Combine("..", "b.txt") }, Tokenizer = new FileTokenizerConfig { Path = "c" },
        });
        string here = Environment.CurrentDirectory;
        Assert.That(config.Data.Path, Is.EqualTo(Path.Combine(here, "a", "**", "*.txt")));
        Assert.That(config.Data.Validation, Is.EqualTo(Path.Combine(Path.GetDirectoryName(here)!, "b.txt")));
        Assert.That(config.Tokenizer, Is.EqualTo(new FileTokenizerConfig { Path = Path.Combine(here, "c") }));
        Assert.That(FullPaths.Of(config), Is.EqualTo(config));
        Assert.That(FullPaths.Of(new RunConfig()).Data, Is.EqualTo(new DataConfig()));
    }

    [Test]
    public void ATokenizerAndATextToValidateOnMayMove()
    {
        string settings = _rig.Write("validation.txt", TrainRig.Text[..600]);
        Directory.CreateDirectory(_rig["tokenizer"]);
        new Engine.Text.ByteTokenizer().Save(_rig["tokenizer"]);
        string[] more = [$"data.validation={settings}", "tokenizer=file", $"tokenizer.path={_rig["tokenizer"]}"];
        _rig.Train("straight", more);
        _rig.Train("run", [.. more, "train.stopAfter=5"]);
        Directory.Delete(_rig["tokenizer"], recursive: true);
        File.Move(settings, _rig["moved.txt"]);

        CommandLine lost = CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu");
        Assert.That(lost.Error, Does.StartWith($"nanofold: {settings}: ").And.EndWith("; say where the run's text to validate on is now with --set data.validation=PATH\n"));
        CommandLine found = CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu", "--set", $"data.validation={_rig["moved.txt"]}");
        Assert.That(found.Code, Is.Zero, found.Error);
        _rig.AssertSame("run", "straight", 12);
    }

    [Test]
    public void ARunOfAnOlderVersionHasNamesFromWhereItWasBegun()
    {
        Directory.CreateDirectory(_rig["tokenizer"]);
        new Engine.Text.ByteTokenizer().Save(_rig["tokenizer"]);
        string[] more = ["tokenizer=file", $"tokenizer.path={_rig["tokenizer"]}"];
        _rig.Train("straight", more);
        _rig.Train("run", [.. more, "train.stopAfter=5"]);
        _rig.MakeOlder("run", 5);
        foreach (string path in new[] { _rig.Checkpoint("run", 5, RunConfig.FileName), Path.Combine(_rig["run"], RunConfig.FileName) })
        {
            string text = File.ReadAllText(path), shorter = text.Replace(Path.GetDirectoryName(_rig.TextPath)! + Path.DirectorySeparatorChar, "", StringComparison.Ordinal);
            Assert.That(text.Length - shorter.Length, Is.GreaterThan(20));
            File.WriteAllText(path, shorter);
        }

        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu").Error, Does.EndWith("; say where the run's text is now with --data\n"));
        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu", "--data", _rig.TextPath, "--set", "train.stopAfter=7").Code, Is.Zero);
        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu").Code, Is.Zero);
        _rig.AssertSame("run", "straight", 12);
    }

    [TestCase("constant", 12)]
    [TestCase("wsd", 9)]
    public void AScheduleThatAllowsItGoesOnForLonger(string schedule, int stop)
    {
        string[] settings = [$"train.schedule={schedule}", "train.warmup=2", "train.decayFraction=0.25", "train.keepCheckpoints=9"];
        _rig.Train("straight", [.. settings, "train.steps=20"]);
        _rig.Train("run", [.. settings, $"train.stopAfter={stop}"]);
        CommandLine run = CommandLine.Run("train", "--resume", _rig["run"], "--steps", "20", "--device", "cpu", "--set", "train.stopAfter=13");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu").Code, Is.Zero, "it remembers");

        // The configurations differ by nothing, the weights and moments neither.
        Assert.That(RunConfig.Load(_rig["run"]).ToJson(), Is.EqualTo(RunConfig.Load(_rig["straight"]).ToJson()));
        _rig.AssertSame("run", "straight", 20, metrics: false);
    }

    [Test]
    public void ADecayThatHasBegunIsNotUndone()
    {
        _rig.Train("run", "train.schedule=wsd", "train.warmup=2", "train.decayFraction=0.25", "train.keepCheckpoints=9");
        CommandLine refused = CommandLine.Run("train", "--resume", _rig["run"], "--steps", "20");

        Assert.That(refused.Code, Is.EqualTo(1));
        Assert.That(refused.Error, Is.EqualTo(
            $"nanofold: train.steps: from step 11 on, {_rig["run"]} had the learning rates of a run of 12 steps (train.schedule=wsd), not of 20; " +
            $"go on from before that with --resume {_rig.Checkpoint("run", 10)} --steps 20, or begin a new run with its weights: train --init {_rig["run"]} --steps 8\n"));
        Assert.That(CommandLine.Run("train", "--resume", _rig.Checkpoint("run", 10), "--steps", "20", "--device", "cpu").Code, Is.Zero, "as it says");
        Assert.That(_rig.Checkpoints("run")[^1], Is.EqualTo(20));
    }

    [Test]
    public void ARunOfWhichOnlyTheStartIsSavedGoesOn()
    {
        _rig.Train("straight");
        _rig.Train("run", "train.checkpointAtStart=true", "train.stopAfter=2");
        Directory.Delete(_rig.Checkpoint("run", 2), recursive: true);
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 0 }));
        _rig.Resume("run");
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 0, 10, 12 }));
        _rig.AssertSame("run", "straight", 12);
    }

    [Test]
    public void ARunWithKindsOfAnotherProgramSaysSo()
    {
        _rig.Train("run");
        string file = _rig["run/config.json"];
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"mixer\": {\n      \"kind\": \"attention\"", "\"mixer\": {\n      \"kind\": \"ema\"", StringComparison.Ordinal));
        Assert.That(
            CommandLine.Run("train", "--resume", _rig["run"]).Error,
            Is.EqualTo($"nanofold: {file}: has kinds that this program does not have: \"ema\" (model.mixer); use the program that it was made with\n"));
    }

    [Test]
    public void StepsThatCannotBeAreRefused()
    {
        _rig.Train("run", "train.schedule=cosine", "train.stopAfter=7");
        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--steps", "30").Error, Does.Contain("(train.schedule=cosine), not of 30; ").And.Contain($"train --init {_rig["run"]} --steps 23"));
        Assert.That(CommandLine.Run("train", "--resume", _rig["run"], "--steps", "7").Error, Is.EqualTo($"nanofold: train.steps: {_rig["run"]} has taken 7 steps already; ask for more than 7\n"));
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 5, 7 }));
    }
}
