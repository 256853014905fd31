using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

/// <summary>The verbs train, eval, generate, bench step and plan as they should go, and their results.</summary>
[NonParallelizable]
public class RunCommandTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void ARunIsTrainedEvaluatedAndWrites()
    {
        JsonObject trained = CommandLine.Json(Train("--out", _rig["run"], "--set", "geometry.enabled=true"));
        AssertKeys(trained, "steps", "trainLoss", "validationLoss", "validationBitsPerByte", "validationStep", "fullValidationLoss", "fullValidationBitsPerByte", "tokensPerSecond", "peakRssBytes", "seconds", "run", "end");
        Assert.That(trained["steps"]!.GetValue<int>(), Is.EqualTo(12));
        Assert.That(trained["trainLoss"]!.GetValue<double>(), Is.InRange(2, 6));
        Assert.That(trained["validationStep"]!.GetValue<int>(), Is.EqualTo(12));
        Assert.That(trained["validationBitsPerByte"]!.GetValue<double>(), Is.EqualTo(trained["validationLoss"]!.GetValue<double>() / Math.Log(2)).Within(1e-9));
        Assert.That(trained["tokensPerSecond"]!.GetValue<double>(), Is.Positive);
        Assert.That(trained["peakRssBytes"]!.GetValue<long>(), Is.GreaterThan(1 << 20));
        Assert.That((trained["run"]!.GetValue<string>(), trained["end"]!.GetValue<string>()), Is.EqualTo((_rig["run"], "finished")));
        Assert.That(File.ReadAllLines(Path.Combine(_rig["run"], "geometry.jsonl")), Is.Not.Empty);

        // The validation text is the last quarter.
        string rest = _rig.Write("rest.txt", TrainRig.Text[^375..]);
        JsonObject evaluated = CommandLine.Json("eval", "--model", _rig.Checkpoint("run", 12), "--data", rest, "--threads", "1");
        AssertKeys(evaluated, "loss", "bitsPerByte", "perplexity", "tokens", "bytes", "part");
        Assert.That(evaluated["loss"]!.GetValue<double>(), Is.EqualTo(trained["fullValidationLoss"]!.GetValue<double>()).Within(1e-6));
        Assert.That((evaluated["tokens"]!.GetValue<long>(), evaluated["bytes"]!.GetValue<long>()), Is.EqualTo((374L, 374L)));

        // The run's own text, named or not, has a part that was held back.
        string[] eval = ["eval", "--model", _rig["run"], "--threads", "1"];
        foreach (string[] own in new[] { eval, [.. eval, "--data", _rig.TextPath], [.. eval, "--data", _rig.TextPath, "--part", "validation"] })
        {
            JsonObject held = CommandLine.Json(own);
            Assert.That((held["part"]!.GetValue<string>(), held["loss"]!.GetValue<double>()), Is.EqualTo(("validation", trained["fullValidationLoss"]!.GetValue<double>())));
        }

        Assert.That(CommandLine.Json([.. eval, "--part", "train"])["tokens"]!.GetValue<long>(), Is.EqualTo(1125 - 1));
        Assert.That(CommandLine.Json([.. eval, "--data", _rig.TextPath, "--part", "all"])["tokens"]!.GetValue<long>(), Is.EqualTo(1500 - 1));
        Assert.That(CommandLine.Run([.. eval, "--data", _rig.TextPath]).Error, Does.Contain($"{_rig.TextPath} is what the run was trained on: the part that it validated with is evaluated; --part all takes all of it"));

        JsonObject generated = CommandLine.Json("generate", "--model", _rig["run"], "--prompt", "no. ", "--max-tokens", "9", "--seed", "4", "--threads", "1");
        AssertKeys(generated, "samples", "seed", "tokensPerSecond");
        Assert.That(generated["seed"]!.GetValue<long>(), Is.EqualTo(4));
        JsonObject sample = generated["samples"]!.AsArray().Single()!.AsObject();
        AssertKeys(sample, "prompt", "text", "tokenIds", "finish", "number");
        Assert.That((sample["prompt"]!.GetValue<string>(), sample["finish"]!.GetValue<string>()), Is.EqualTo(("no. ", "length")));
        Assert.That(sample["tokenIds"]!.AsArray(), Has.Count.EqualTo(9));
    }

    [Test]
    public void ARunThatStoppedGoesOn()
    {
        CommandLine.Json(Train("--out", _rig["straight"]));
        JsonObject stopped = CommandLine.Json(Train("--out", _rig["run"], "--set", "train.stopAfter=4"));
        Assert.That((stopped["steps"]!.GetValue<int>(), stopped["end"]!.GetValue<string>()), Is.EqualTo((4, "stopped-after")));
        Assert.That(stopped["validationLoss"], Is.Null);

        CommandLine resumed = CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu", "--threads", "2", "--set", "train.logEvery=1");
        Assert.That(resumed.Code, Is.Zero, resumed.Error);
        Assert.That(resumed.Standard, Does.Contain("going on after step 4").And.Contain($"write with:  ./nanofold generate --model {_rig["run"]}"));
        _rig.AssertSame("run", "straight", 12);
    }

    [Test]
    public void TheSameCommandBeginsARunAndGoesOnWithIt()
    {
        string[] command = Train("--out", _rig["run"], "--resume", "auto", "--seed", "1");
        CommandLine.Json(Train("--out", _rig["straight"]));
        Assert.That(CommandLine.Json([.. command, "--set", "train.stopAfter=4"])["steps"]!.GetValue<int>(), Is.EqualTo(4));
        Assert.That(CommandLine.Json([.. command, "--set", "train.stopAfter=7"])["steps"]!.GetValue<int>(), Is.EqualTo(7));

        CommandLine last = CommandLine.Run(command);
        Assert.That(last.Code, Is.Zero, last.Error);
        Assert.That(last.Standard, Does.Contain("going on after step 7"));
        _rig.AssertSame("run", "straight", 12);
        Assert.That(CommandLine.Json(command)["end"]!.GetValue<string>(), Is.EqualTo("finished"), "nothing is left to be done");
    }

    [Test]
    public void WhatTheRunWasNotBegunWithIsNamed()
    {
        string[] command = Train("--out", _rig["run"], "--resume", "auto", "--set", "train.stopAfter=2");
        CommandLine.Json(command);

        CommandLine changed = CommandLine.Run([.. command, "--set", "train.batch=5", "--seed", "9"]);
        Assert.That(changed.Code, Is.EqualTo(1));
        Assert.That(changed.Error, Is.EqualTo($"nanofold: --resume auto: {_rig["run"]} was begun with train.batch=3, train.seed=1; give that, or name another --out\n"));
        CommandLine nowhere = CommandLine.Run(Train("--resume", "auto"));
        Assert.That((nowhere.Code, nowhere.Error), Is.EqualTo((2, "nanofold: --resume auto goes on with the run in --out, or begins it there; name the folder with --out\n")));
    }

    [Test]
    public void StepsAndMinutesAreBothKept()
    {
        CommandLine.Json(Train("--out", _rig["run"], "--minutes", "50"));
        RunConfig saved = RunConfig.Load(_rig["run"]);
        Assert.That((saved.Train.Steps, saved.Train.Minutes), Is.EqualTo((12, 50)));
        Assert.That(TrainState.Load(_rig.Checkpoint("run", 12)).Steps, Is.EqualTo(12));

        CommandLine none = CommandLine.Run(Train("--out", _rig["none"], "--minutes", "0"));
        Assert.That((none.Code, none.Error), Is.EqualTo((2, "nanofold: --minutes 0: expected more than 0\n")));
        Assert.That(new ConfigTree().Set("train.minutes=5").Build().Train.Steps, Is.EqualTo(TrainConfig.Unbounded));
        Assert.That(new ConfigTree().AddJson("""{ "train": { "steps": 7 } }""", "file").Set("train.minutes=5").Build().Train.Steps, Is.EqualTo(7));
    }

    [Test]
    public void AStopIsSaidWithHowToGoOn()
    {
        CommandLine stopped = CommandLine.Run(Train("--out", _rig["run"], "--set", "train.stopAfter=4"));

        Assert.That(stopped.Code, Is.Zero, stopped.Error);
        Assert.That(stopped.Standard, Does.EndWith($"go on with:  ./nanofold train --resume {_rig["run"]}\n"));
    }

    [Test]
    public void FiguresOfAnEarlierStepSaySo()
    {
        CommandLine stopped = CommandLine.Run(Train(
            "--out", _rig["run"], "--set", "train.stopAfter=7", "--set", "train.evaluateEvery=5", "--set", "geometry.enabled=true", "--set", "geometry.every=3", "--set", "geometry.measures=[\"norms\"]"));

        Assert.That(stopped.Code, Is.Zero, stopped.Error);
        Assert.That(stopped.Standard, Does.Contain("residual stream after each block at step 6, "));
        Assert.That(stopped.Standard, Does.Match(@"\nvalidation [\d.]+ nats/token, [\d.]+ bits/byte at step 5; training loss [\d.]+ after 7 steps, "));

        CommandLine finished = CommandLine.Run("train", "--resume", _rig["run"], "--device", "cpu", "--threads", "1");
        Assert.That(finished.Standard, Does.Contain("residual stream after each block, ").And.Match(@"\nvalidation [\d.]+ nats/token, [\d.]+ bits/byte after 12 steps, "));
    }

    [Test]
    public void AFolderWithoutARunIsTaken()
    {
        Directory.CreateDirectory(_rig["run"]);
        File.WriteAllText(Path.Combine(_rig["run"], "mine.txt"), "mine");

        CommandLine.Json(Train("--out", _rig["run"]));
        Assert.That(File.ReadAllText(Path.Combine(_rig["run"], "mine.txt")), Is.EqualTo("mine"));
        Assert.That(_rig.Checkpoints("run"), Has.Member(12L));
    }

    [Test]
    public void OptionsGoIntoTheRunsConfiguration()
    {
        string config = _rig.Write("config.json", """{ "model": { "layers": 1 }, /* few */ "train": { "steps": 99, "batch": 2 }, }""");
        CommandLine.Json(Train("--out", _rig["run"], "--config", config, "--steps", "3", "--batch", "4", "--context", "6", "--seed", "11"));

        RunConfig saved = RunConfig.Load(_rig["run"]);
        Assert.That((saved.Train.Steps, saved.Train.Batch, saved.Model.Context, saved.Train.Seed, saved.Model.Layers), Is.EqualTo((3, 4, 6, 11L, 2)));
        Assert.That(saved.Model.Vocab, Is.EqualTo(256));
    }

    [Test]
    public void AStepIsBenchmarkedAndPlanned()
    {
        string[] settings = [.. _rig.Settings().SelectMany(setting => new[] { "--set", setting })];
        JsonObject bench = CommandLine.Json(["bench", "step", .. settings, "--threads", "1", "--steps", "2", "--set", "train.warmup=0"]);
        AssertKeys(bench, "tokensPerSecond", "gflops", "peakRssBytes", "managedBytesPerStep", "parameters", "stepSeconds");
        Assert.That(bench["tokensPerSecond"]!.GetValue<double>(), Is.Positive);
        Assert.That(bench["managedBytesPerStep"]!.GetValue<double>(), Is.Zero);

        _rig.Train("run", "train.stopAfter=1");
        JsonObject given = CommandLine.Json("bench", "step", "--set", "tokenizer=file", "--set", $"tokenizer.path={_rig.Checkpoint("run", 1)}", "--set", "model.width=16", "--steps", "1", "--set", "train.warmup=0");
        Assert.That(given["parameters"]!.GetValue<long>(), Is.Positive);

        CommandLine auto = CommandLine.Run(["bench", "step", .. settings, "--batch", "auto"]);
        Assert.That((auto.Code, auto.Error), Is.EqualTo((2, "nanofold: bench step: --batch auto is for train, which tries sizes; name one\n")));

        JsonObject plan = CommandLine.Json(["plan", .. settings]);
        Assert.That(plan.Select(p => p.Key), Is.SupersetOf(new[] { "parameters", "flopsPerToken", "peakBytes" }));
        Assert.That(plan["parameters"]!.GetValue<long>(), Is.EqualTo(bench["parameters"]!.GetValue<long>()));
        Assert.That(plan["peakBytes"]!.GetValue<long>(), Is.InRange(plan["parameters"]!.GetValue<long>() * 16, 10_000_000));
    }

    [Test]
    public void WithJsonTheResultIsTheOnlyLineOfStandardOutput()
    {
        CommandLine run = CommandLine.Run([.. Train("--out", _rig["run"]), "--json"]);

        Assert.That(run.Standard.TrimEnd('\n').Split('\n'), Has.Length.EqualTo(1));
        Assert.That(JsonDocument.Parse(run.Standard).RootElement.ValueKind, Is.EqualTo(JsonValueKind.Object));
        Assert.That(run.Error, Does.Contain("step 12/12"));
    }

    [TestCase("train", "validationBitsPerByte")]
    [TestCase("eval", "bitsPerByte")]
    [TestCase("generate", "tokenIds")]
    [TestCase("plan", "peakBytes")]
    public void TheKeysAreInTheHelp(string verb, string key)
        => Assert.That(CommandLine.Run(verb, "--help").Standard, Does.Match($@"Keys of the --json line:\n.*{key}"));

    /// <summary>The page is made beside training, says where it is, stays as it was last, and changes no bit of what is learned.</summary>
    [Test]
    public void ARunWithAReportHasItsPageAndTheSameBits()
    {
        CommandLine run = CommandLine.Run(Train("--out", _rig["reported"], "--report"));
        string page = Path.Combine(_rig["reported"], "report.html");
        Assert.That((run.Code, run.Error.Contains($"the page of the run: {page}\n", StringComparison.Ordinal)), Is.EqualTo((0, true)), run.Error);
        Assert.That(File.ReadAllText(page), Does.Contain("<h3>Loss</h3>").And.Contain("<dt>steps</dt><dd>12<").And.Contain("<body>"));
        _rig.Train("plain");
        _rig.AssertSame("reported", "plain", 12);
    }

    [Test]
    public void WatchRefusesWhatIsNoRunBeforeItServes()
    {
        CommandLine watched = CommandLine.Run("watch", _rig["nowhere"], "--port", "0");
        Assert.That((watched.Code, watched.Standard, watched.Error), Is.EqualTo((1, "", $"nanofold: {_rig["nowhere"]}: there is no such folder\n")));
        Assert.That(CommandLine.Run("watch", _rig["nowhere"], "--port", "70000").ErrorLines[0], Does.StartWith("nanofold: --port"));
    }

    private string[] Train(params string[] more) =>
        ["train", "--device", "cpu", "--threads", "1", .. _rig.Settings().SelectMany(setting => new[] { "--set", setting }), .. more];

    private static void AssertKeys(JsonObject result, params string[] keys) => Assert.That(result.Select(p => p.Key), Is.EquivalentTo(keys));
}
