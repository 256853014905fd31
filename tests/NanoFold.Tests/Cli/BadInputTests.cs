using NanoFold.Cli;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

/// <summary>
/// What users get wrong: a line per problem that names the thing and says what to do, the exit code, and nothing left behind.
/// </summary>
[NonParallelizable]
public class BadInputTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void TextThatIsNotThere() => AssertRefused(1, $"{_rig["none.txt"]}: there is no such file", "--data", _rig["none.txt"]);

    [Test]
    public void TextThatIsEmpty() => AssertRefused(1, $"{_rig["empty.txt"]}: is empty", "--data", _rig.Write("empty.txt", ""));

    [Test]
    public void TextThatIsBinary()
    {
        File.WriteAllBytes(_rig["image.bin"], [0x89, 0x50, 0x4E, 0x47, 0, 0, 0, 1, 2, 3, .. new byte[200]]);
        AssertRefused(1, $"{_rig["image.bin"]}: ", "--data", _rig["image.bin"]);
    }

    [Test]
    public void TextShorterThanAContext()
        => AssertRefused(1, $"{_rig["short.txt"]}: has 7 tokens to train on, but a context of 8 needs 9", "--data", _rig.Write("short.txt", "0123456789"));

    [Test]
    public void ATokenizerThatIsNotThere()
        => AssertRefused(1, $"{_rig["none.json"]}: there is no such tokenizer file", "--set", "tokenizer=file", "--set", $"tokenizer.path={_rig["none.json"]}");

    [Test]
    public void EveryProblemOfTheSettingsAtOnce()
    {
        CommandLine run = Train("--set", "model.layer=3", "--set", "model.width=wide", "--set", "train.batch=-1", "--set", "what=1", "--set", "nonsense", "--steps", "0");

        Assert.That((run.Code, run.Standard), Is.EqualTo((2, "")));
        Assert.That(run.ErrorLines, Has.Length.EqualTo(6), run.Error);
        foreach (string problem in new[] { "model.layer: unknown key; did you mean model.layers?", "model.width: ", "train.batch: ", "what: unknown key", "nonsense: expected key=value", "train.steps: " })
        {
            Assert.That(run.ErrorLines, Has.Some.StartsWith($"nanofold: {problem}"));
        }

        AssertNothingLeft();
    }

    [Test]
    public void ShapesThatDoNotFitTogether()
    {
        CommandLine run = Train("--set", "model.width=15", "--set", "model.headDim=0", "--set", "model.pattern=[{\"repeat\":5}]", "--set", "train.warmup=99");

        Assert.That(run.Code, Is.EqualTo(2));
        Assert.That(run.ErrorLines, Has.Some.StartsWith("nanofold: model.width: 15 is not a multiple of model.heads = 2"));
        Assert.That(run.ErrorLines, Has.Some.StartsWith("nanofold: model.pattern: has 5 layers, which does not divide model.layers = 2"));
        Assert.That(run.ErrorLines, Has.Some.StartsWith("nanofold: train.warmup: 99 is more than train.steps = 12"));
        AssertNothingLeft();
    }

    [TestCase("model.width × model.heads × model.headDim: ", "model.layers=4096", "model.width=65536", "model.heads=1024")]
    [TestCase("train.batch × train.accumulate × model.context: ", "train.batch=1048576", "train.accumulate=1048576")]
    [TestCase("model.context × model.headDim: ", "model.context=4194304", "model.headDim=4096")]
    public void ShapesBeyondAnyMachine(string problem, params string[] settings)
    {
        string[] options = [.. settings.SelectMany(setting => new[] { "--set", setting })];

        AssertRefused(2, problem[..problem.IndexOf(':')] + ": ", options);
        foreach (string verb in new[] { "plan", "bench step" })
        {
            CommandLine run = CommandLine.Run([.. verb.Split(' '), "--set", "tokenizer=byte", .. options]);
            Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((2, 1)), run.Error);
        }
    }

    [Test]
    public void ABatchThatDoesNotFitTheMemory()
        => AssertRefused(1, "a training step: ", "--batch", "65536", "--context", "1000", "--set", "model.width=2048", "--set", "model.hidden=8192");

    [Test]
    public void ConfigurationFilesThatCannotBeUsed()
    {
        AssertRefused(1, $"cannot read {_rig["none.json"]}", "--config", _rig["none.json"]);
        AssertRefused(1, $"{_rig["list.json"]}: expected a JSON object", "--config", _rig.Write("list.json", "[1, 2]"));
        AssertRefused(1, $"{_rig["torn.json"]}: line 2, column ", "--config", _rig.Write("torn.json", "{ \"model\": {\n \"layers\": "));
        AssertRefused(1, $"{_rig["newer.json"]}: is a configuration of version 99", "--config", _rig.Write("newer.json", "{ \"version\": 99 }"));
        AssertRefused(2, $"{_rig["typed.json"]}:1: train.clip: ", "--config", _rig.Write("typed.json", "{ \"train\": { \"clip\": [2] } }"));
    }

    [Test]
    public void AFolderBelowAFile()
    {
        string file = _rig.Write("file", "mine");
        foreach (string path in new[] { file, Path.Combine(file, "run"), Path.Combine(file, "runs", "run") })
        {
            AssertFault(1, $"{path}: cannot be a run folder, for {file} is a file; choose another --out", Train("--out", path));
        }

        Assert.That(File.ReadAllText(file), Is.EqualTo("mine"));
    }

    [Test]
    public void AFolderThatMayNotBeWritten()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("the system or this user knows no folders that may not be written");
            return;
        }

        Directory.CreateDirectory(_rig["closed"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        AssertFault(1, $"cannot write {Path.Combine(_rig["closed"], "run")}: ", Train("--out", Path.Combine(_rig["closed"], "run")));
        Assert.That(Directory.EnumerateFileSystemEntries(_rig["closed"]), Is.Empty);
    }

    [Test]
    public void AFolderThatHoldsARun()
    {
        _rig.Train("run", "train.stopAfter=2");
        string[] before = Content(_rig["run"]);

        AssertFault(1, $"{_rig["run"]}: holds a run already; choose another --out, or continue it with --resume {_rig["run"]}", Train("--out", _rig["run"]));
        Assert.That(Content(_rig["run"]), Is.EqualTo(before));
    }

    [Test]
    public void AFolderOfTheUsersStaysAsItWas()
    {
        Directory.CreateDirectory(_rig["out"]);
        File.WriteAllText(Path.Combine(_rig["out"], "metrics.jsonl"), "");
        File.WriteAllText(Path.Combine(_rig["out"], "mine.txt"), "mine");
        string[] before = Content(_rig["out"]);

        AssertFault(1, $"{_rig["none.txt"]}: ", Train("--data", _rig["none.txt"], "--out", _rig["out"]));
        Assert.That(Content(_rig["out"]), Is.EqualTo(before));
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void ALinkWhereALogIsToBe()
    {
        string metrics = Path.Combine(_rig["run"], RunFolder.MetricsFile);
        Directory.CreateDirectory(_rig["run"]);
        File.CreateSymbolicLink(metrics, "/dev/full");
        CommandLine run = Train("--out", _rig["run"]);

        AssertFault(1, $"{metrics}: is a symbolic link to /dev/full; nothing is written through links inside of a run's folder: ", run);
        Assert.That(File.ResolveLinkTarget(metrics, returnFinalTarget: true)!.FullName, Is.EqualTo("/dev/full"));
        Assert.That(Directory.GetFileSystemEntries(_rig["run"]), Is.EqualTo(new[] { metrics }));
    }

    [Test]
    public void AFileWhereCheckpointsAreToBe()
    {
        Directory.CreateDirectory(_rig["run"]);
        string path = Path.Combine(_rig["run"], "checkpoints");
        File.WriteAllText(path, "mine");
        CommandLine run = Train("--out", _rig["run"]);

        string rescued = _rig["run-rescued"];
        Assert.That((run.Code, run.ErrorLines[^1]), Is.EqualTo((1, $"nanofold: cannot write {path}: The file '{path}' already exists; the state of step 5 is saved in {rescued}; the run's own folder has no checkpoint; go on with --resume {rescued}")));
        Assert.That(File.ReadAllText(path), Is.EqualTo("mine"));
    }

    [TestCase("cuda", 1, null)]
    [TestCase("opencl", 1, null)]
    [TestCase("tpu", 2, "expected one of auto, cpu, cuda, opencl")]
    public void ADeviceThatIsNotThere(string device, int code, string? problem)
    {
        problem ??= Gpus.WhyNot(device);
        if (problem is null)
        {
            Assert.Ignore($"there is a device of {device}");
        }

        AssertFault(code, $"--device {device}: {problem}", CommandLine.Run("train", "--data", _rig.TextPath, "--out", Path.Combine(_rig["runs"], "new"), "--device", device));
        AssertNothingLeft();
    }

    [TestCase("--threads", "0")]
    [TestCase("--threads", "many")]
    [TestCase("--seed", "-1")]
    [TestCase("--out", "")]
    [TestCase("--data", "")]
    [TestCase("--resume", "")]
    [TestCase("--steps", null)]
    [TestCase("--out", null)]
    public void WrongValuesOfOptions(string option, string? value)
    {
        CommandLine run = CommandLine.Run(value is null ? ["train", option] : ["train", option, value]);

        Assert.That((run.Code, run.Standard), Is.EqualTo((2, "")));
        Assert.That(run.ErrorLines[0], Does.StartWith($"nanofold: {option}: "));
        Assert.That(run.ErrorLines[1..], Is.All.EqualTo("nanofold: see 'nanofold train --help'"));
    }

    [TestCase("--steps", "six", "train.steps: expected an integer")]
    [TestCase("--batch", "some", "train.batch: ")]
    [TestCase("--minutes", "-3", "train.minutes: ")]
    [TestCase("--preset", "mega", "preset: unknown preset \"mega\"; known: nano, small, gpt2")]
    public void WrongValuesOfSettings(string option, string value, string problem) => AssertRefused(2, problem, option, value);

    [Test]
    public void ARunThatIsNotThere()
    {
        foreach (string[] command in new[] { new[] { "train", "--resume" }, ["eval", "--data", _rig.TextPath, "--model"], ["generate", "--model"] })
        {
            AssertFault(1, $"{_rig["none"]}: there is no such run", CommandLine.Run([.. command, _rig["none"]]));
            AssertFault(1, $"{Path.GetDirectoryName(_rig.TextPath)}: ", CommandLine.Run([.. command, Path.GetDirectoryName(_rig.TextPath)!]));
        }

        AssertNothingLeft("none");
        Assert.That(File.Exists(_rig["run.lock"]), Is.False);
    }

    [TestCase("tf32")]
    [TestCase("fp16")]
    public void APrecisionThatTheDeviceHasNot(string precision)
    {
        string problem = $"train.precision: {precision} cannot be computed on cpu ";
        AssertRefused(2, problem, "--precision", precision);
        foreach (string verb in new[] { "profile", "bench step" })
        {
            AssertFault(2, problem, CommandLine.Run([.. verb.Split(' '), "--set", "tokenizer=byte", "--device", "cpu", "--precision", precision]));
        }
    }

    [Test]
    public void OptionsThatWouldChangeARun()
    {
        _rig.Train("run", "train.stopAfter=2");
        string[] before = Content(_rig["run"]);
        CommandLine run = CommandLine.Run("train", "--resume", _rig["run"], "--minutes", "50", "--batch", "4", "--precision", "bf16", "--preset", "nano", "--out", "y", "--seed", "3", "--set", "model.layers=3", "--set", "train.logEvery=2");

        AssertFault(2, "--resume goes on as the run began, so it does not take --preset, --out, --minutes, --batch, --precision, --seed, model.layers; it takes --threads, --device, --data, --steps", run);
        Assert.That(Content(_rig["run"]), Is.EqualTo(before));
    }

    [Test]
    public void TextThatChangedSinceTheRunBegan()
    {
        _rig.Train("run", "train.stopAfter=2");
        string[] before = Content(_rig["run"]);
        File.AppendAllText(_rig.TextPath, "more");

        AssertFault(1, $"{_rig.TextPath}: has changed since the run began; resuming needs the same text", CommandLine.Run("train", "--resume", _rig["run"]));
        Assert.That(Content(_rig["run"]), Is.EqualTo(before));
    }

    [Test]
    public void TwoInOneRunFolder()
    {
        _rig.Train("run", "train.stopAfter=2");
        using var backend = new CpuBackend(1);
        using (TrainSession.Resume(_rig["run"], backend))
        {
            AssertFault(1, $"{_rig["run"]} is being written by another nanofold; wait for it to end", CommandLine.Run("train", "--resume", _rig["run"]));
            // Reading is allowed meanwhile.
            Assert.That(CommandLine.Run("generate", "--model", _rig["run"], "--max-tokens", "2").Code, Is.Zero);
        }

        Assert.That(CommandLine.Run("train", "--resume", _rig["run"]).Code, Is.Zero);
    }

    [Test]
    public void TwoThatBeginInOneFolder()
    {
        // Taken, and not yet a run: as while another process tokenizes.
        RunFolder other = RunFolder.Create(_rig["run"]);
        string[] before = Content(_rig["run"]);
        AssertFault(1, $"{_rig["run"]} is being written by another nanofold; wait for it to end or choose another folder (--out)", Train("--out", _rig["run"]));
        Assert.That(Content(_rig["run"]), Is.EqualTo(before));

        other.Discard();
        AssertNothingLeft("run");
        Assert.That(Train("--out", _rig["run"]).Code, Is.Zero);
    }

    [TestCase("--temperature", "warm", 2)]
    [TestCase("--temperature", "-1", 2)]
    [TestCase("--top-p", "2", 2)]
    [TestCase("--max-tokens", "0", 2)]
    [TestCase("--top-k", "-5", 2)]
    public void WrongOptionsOfGenerate(string option, string value, int code)
    {
        _rig.Train("run", "train.stopAfter=1");
        CommandLine run = CommandLine.Run("generate", "--model", _rig["run"], option, value);

        Assert.That(run.Code, Is.EqualTo(code), run.Error);
        Assert.That(run.ErrorLines[0], Does.Match($"^nanofold: (generation.)?{option}: |^nanofold: generation\\..*: "));
    }

    [Test]
    public void WhatIsNeededAndNotGiven()
    {
        AssertFault(2, "--model is needed: a run folder of train, a checkpoint, or a model of another program", CommandLine.Run("generate"));
        AssertFault(2, "--model is needed: a run folder of train, a checkpoint, or a model of another program", CommandLine.Run("eval", "--data", "x"));
        AssertFault(2, "--part: expected train, validation or all, not 'some'", CommandLine.Run("eval", "--model", "x", "--part", "some"));
    }

    [Test]
    public void TextThatCannotBeEvaluated()
    {
        _rig.Train("run", "train.stopAfter=1");
        foreach ((string name, string text) in new[] { ("empty.txt", ""), ("one.txt", "x"), ("binary.txt", "a\0b") })
        {
            AssertFault(1, $"{_rig[name]}: ", CommandLine.Run("eval", "--model", _rig["run"], "--data", _rig.Write(name, text)));
        }

        AssertFault(1, $"{_rig["none.txt"]}: ", CommandLine.Run("eval", "--model", _rig["run"], "--data", _rig["none.txt"]));
    }

    private CommandLine Train(params string[] more) =>
        CommandLine.Run(["train", "--device", "cpu", "--threads", "1", .. _rig.Settings().SelectMany(setting => new[] { "--set", setting }), .. more]);

    // Training into a new folder, which must not be there afterwards, nor the folder above it.
    private void AssertRefused(int code, string problem, params string[] options)
    {
        AssertFault(code, problem, Train(["--out", Path.Combine(_rig["runs"], "new"), .. options]));
        AssertNothingLeft();
    }

    private void AssertNothingLeft(string folder = "runs") => Assert.That(Path.Exists(_rig[folder]), Is.False, $"{folder} was left behind");

    /// <summary>One line that says the problem; notes of what was begun may come before it.</summary>
    private static void AssertFault(int code, string problem, CommandLine run)
    {
        Assert.That((run.Code, run.Standard), Is.EqualTo((code, "")), run.Error);
        Assert.That(run.ErrorLines[^1], Does.StartWith($"nanofold: {problem}"));
        Assert.That(run.ErrorLines[..^1], Has.All.Contains(": tokenizing ").Or.All.Contains(": reading tokens "));
        Assert.That(run.Error, Does.Not.Contain("a fault of this program"));
    }

    // Every file with its length and time of writing.
    private static string[] Content(string folder) =>
    [
        .. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories).Order()
            .Select(path => File.Exists(path) ? $"{path} {new FileInfo(path).Length} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(Read(path)))}" : path),
    ];

    private static byte[] Read(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (IOException) when (path.EndsWith(".lock", StringComparison.Ordinal))
        {
            return [];
        }
    }
}
