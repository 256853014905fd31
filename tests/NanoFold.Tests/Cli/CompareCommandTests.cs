using System.Text.Json.Nodes;
using NanoFold.Cli.Running;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Experiments;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

/// <summary><c>compare</c> from a command line to its files: runs of two variants and two seeds, gone on with, collected, and refused.</summary>
[NonParallelizable]
public class CompareCommandTests
{
    private static readonly string[] s_small = ["--task", "modular-addition", "--set", "task.modulus=5", "--set", "task.validationRows=4", "--set", "model.layers=1", "--set", "model.width=16", "--set", "geometry.enabled=false", "--steps", "3", "--batch", "2"];

    [SetUp]
    public void CarryOutRunsHere() => RunSets.Starter = new InProcessRuns(order => new CpuBackend(1));

    [TearDown]
    public void CarryOutRunsAsEver() => RunSets.Starter = null;

    [Test]
    public void AComparisonIsCarriedOutAndGoneOnWith()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "c");
        string[] line = ["compare", "--variants", "attention,gru", .. s_small, "--out", path];
        JsonObject result = CommandLine.Json([.. line, "--seeds", "2"]);
        JsonNode attention = result["variants"]!.AsArray().Single(variant => variant!["name"]!.GetValue<string>() == "attention")!, gru = result["variants"]!.AsArray().Single(variant => variant!["name"]!.GetValue<string>() == "gru")!;
        Assert.Multiple(() =>
        {
            foreach (string key in new[] { "name", "parameters", "flopsPerToken", "validationLoss", "standardDeviation", "pairedDifference", "interval", "tokensPerSecond", "peakBytes", "cacheBytesPerToken", "runs" })
            {
                Assert.That(gru.AsObject().ContainsKey(key), key);
            }

            Assert.That(gru["parameters"]!.GetValue<long>(), Is.EqualTo(attention["parameters"]!.GetValue<long>()).Within(2).Percent);
            Assert.That(gru["runs"]!.AsArray().Select(run => run!["seed"]!.GetValue<long>()), Is.EqualTo(new[] { 1, 2 }));
            Assert.That(gru["pairedDifference"]!.GetValue<double>(), Is.EqualTo(gru["validationLoss"]!.GetValue<double>() - attention["validationLoss"]!.GetValue<double>()).Within(1e-9));
            Assert.That(File.Exists(result["report"]!.GetValue<string>()), "the page");
            Assert.That(Directory.GetDirectories(Path.Combine(path, "runs")).Select(run => Path.GetFileName(run)![^5..]), Is.EquivalentTo(new[] { "seed1", "seed1", "seed2", "seed2" }));
            Assert.That(new[] { ResultFiles.Markdown, ResultFiles.Table, ResultFiles.Runs }.Select(file => File.Exists(Path.Combine(path, file))), Is.All.True);
        });

        // The same, with one seed more: what is there stays.
        DateTime written = File.GetLastWriteTimeUtc(Path.Combine(path, "runs", "gru-seed1", "result.json"));
        CommandLine more = CommandLine.Run([.. line, "--seeds", "3"]);
        Assert.That((more.Code, Directory.GetDirectories(Path.Combine(path, "runs")).Length), Is.EqualTo((0, 6)), more.Error);
        Assert.That(File.GetLastWriteTimeUtc(Path.Combine(path, "runs", "gru-seed1", "result.json")), Is.EqualTo(written));
        Assert.That(CommandLine.Json("compare", "--collect", "--out", path)["seeds"]!.AsArray().Select(seed => seed!.GetValue<long>()), Is.EqualTo(new[] { 1, 2, 3 }));

        CommandLine another = CommandLine.Run([.. line, "--seeds", "3", "--set", "model.bias=true"]);
        Assert.That((another.Code, another.ErrorLines.Length), Is.EqualTo((1, 1)), another.Error);
        Assert.That(another.Error, Does.Contain("holds another comparison, with ").And.Contain("model.bias = false"));
    }

    [Test]
    public void ADryRunTrainsNothing()
    {
        using var folder = new TemporaryFolder();
        JsonObject plan = CommandLine.Json(["compare", "--variants", "attention,gru", .. s_small, "--seeds", "3", "--learning-rates", "1e-3,1e-2", "--threads", "1", "--out", Path.Combine(folder.Path, "c"), "--dry-run"]);
        Assert.Multiple(() =>
        {
            Assert.That(plan["runs"]!.GetValue<int>(), Is.EqualTo(8));
            Assert.That(plan["tokens"]!.GetValue<double>(), Is.EqualTo(8 * 3 * 2 * 64));
            Assert.That(plan["seconds"]!.GetValue<double>(), Is.GreaterThan(0));
            Assert.That(plan["peakBytes"]!.GetValue<long>(), Is.GreaterThan(100_000_000));
            Assert.That(plan["variants"]!.AsArray().Select(variant => variant!["name"]!.GetValue<string>()), Is.EqualTo(new[] { "attention", "gru" }));
            Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
        });
    }

    [Test]
    public void ADryRunOfAComparisonThatIsBegunCountsWhatIsLeft()
    {
        using var folder = new TemporaryFolder();
        string[] line = ["compare", "--variants", "attention,gru", .. s_small, "--threads", "1", "--out", Path.Combine(folder.Path, "c")];
        RunSets.Starter = new FakeRuns { Becomes = name => name == "gru-seed1" ? "there is not enough memory" : 1.0 };
        CommandLine begun = CommandLine.Run([.. line, "--seeds", "2"]);
        Assert.That(begun.Code, Is.EqualTo(1));
        Assert.That(begun.ErrorLines, Does.Contain($"nanofold: failed: gru-seed1; {Path.Combine(folder.Path, "c", "runs", "gru-seed1", "result.json")} says why"));
        Assert.That(begun.Standard, Does.Contain("3 of 4 runs done, 1 failed in ").And.Contain("the same command tries again what failed"));
        JsonObject plan = CommandLine.Json([.. line, "--seeds", "3", "--dry-run"]);
        Assert.That((plan["runs"]!.GetValue<int>(), plan["over"]!.GetValue<int>(), plan["tokens"]!.GetValue<double>()), Is.EqualTo((6, 3, 3 * 3 * 2 * 64.0)), "what failed is tried again");
        CommandLine shard = CommandLine.Run([.. line, "--seeds", "2", "--dry-run", "--shard", "1/2"]);
        Assert.That(shard.Standard, Does.Contain("4 runs, of which 3 are over; left are 384 tokens, about ").And.Contain("This is of all 2 shards together, on this machine; shard 1/2 carries out its share, about 1/2 of the FLOPs."));
        CommandLine other = CommandLine.Run([.. line, "--seeds", "2", "--dry-run", "--set", "model.bias=true"]);
        Assert.That(other.Code, Is.EqualTo(1));
        Assert.That(other.ErrorLines[^1], Does.StartWith($"nanofold: {Path.Combine(folder.Path, "c")}: holds another comparison, with ").And.Contain("model.bias = false"), "as the command itself would say");
    }

    [Test]
    public void WhatStopsAComparisonIsSaid()
    {
        using var folder = new TemporaryFolder();
        RunSets.Starter = new FakeRuns { Becomes = name => name == "attention-seed1" ? 1.0 : null };
        CommandLine run = CommandLine.Run(["compare", "--variants", "attention,gru", .. s_small, "--threads", "1", "--jobs", "1", "--minutes", "0.002", "--out", Path.Combine(folder.Path, "c")]);
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Standard, Does.Contain("1 of 2 runs done, 1 stopped in ").And.Contain("\nthe time is over; the same command goes on\n"));
    }

    [Test]
    public void ATextThatHasMovedIsFollowedAndAnotherIsRefused()
    {
        using var rig = new TrainRig();
        string[] line = ["compare", "--variants", "attention,gru", "--equal", "tokens", .. rig.Settings("train.checkpointEvery=1", "train.steps=3").Where(setting => !setting.StartsWith("data.path", StringComparison.Ordinal)).SelectMany(setting => new[] { "--set", setting }), "--out", rig["c"]];
        CommandLine begun = CommandLine.Run([.. line, "--data", rig.TextPath]);
        Assert.That(begun.Code, Is.Zero, begun.Error);

        // A run goes on from its second step, another begins.
        File.Move(rig.TextPath, rig["moved.txt"]);
        File.Delete(rig["c/runs/gru-seed1/result.json"]);
        Directory.Delete(rig["c/runs/gru-seed1/checkpoints/step-000003"], recursive: true);
        CommandLine moved = CommandLine.Run([.. line, "--data", rig["moved.txt"], "--seeds", "2"]);
        Assert.That((moved.Code, moved.Standard.Contains("4 of 4 runs done", StringComparison.Ordinal)), Is.EqualTo((0, true)), moved.Error + moved.Standard);
        Assert.That(JsonNode.Parse(File.ReadAllText(rig["c/runs/gru-seed1/config.json"]))!["data"]!["path"]!.GetValue<string>(), Is.EqualTo(rig["moved.txt"]));
        Assert.That(JsonNode.Parse(File.ReadAllText(rig["c/comparison.json"]))!["variants"]![0]!["settings"]!["data"]!["path"]!.GetValue<string>(), Is.EqualTo(rig["moved.txt"]));

        CommandLine other = CommandLine.Run([.. line, "--data", rig.Write("other.txt", TrainRig.Text + "!"), "--seeds", "2"]);
        Assert.That((other.Code, other.ErrorLines[^1]), Is.EqualTo((1, $"nanofold: {rig["c"]}: holds another comparison, with data.path = \"{rig["moved.txt"]}\", which is another text; give that, or name another folder with --out")));
    }

    [TestCase("--variants: \"attention\" is there twice", "--variants", "attention,attention")]
    [TestCase("variants: \"attention\" alone has nothing to be compared with", "--variants", "attention")]
    [TestCase("variants: there are none; name two at least, with --variants a,b")]
    [TestCase("variants.wide: differs in nothing from \"attention\"", "--variants", "attention,wide:model.width=16")]
    [TestCase("variants.gru.model.width: no model.width or model.hidden comes within 5 % of 100 parameters", "--variants", "attention,gru", "--budget", "100")]
    [TestCase("model.vocab: 3 is less than the 6 symbols of task.modulus = 5", "--variants", "attention,gru", "--set", "model.vocab=3")]
    [TestCase("--seeds: expected a number of seeds, or seeds separated by commas, got 'x'", "--variants", "attention,gru", "--seeds", "x")]
    [TestCase("--learning-rates: expected numbers of more than 0, got '0'", "--variants", "attention,gru", "--learning-rates", "0")]
    [TestCase("--shard 3/2: expected I/N", "--variants", "attention,gru", "--shard", "3/2")]
    [TestCase("equal: expected one of params, flops, tokens, seconds, none, got \"size\"", "--variants", "attention,gru", "--equal", "size")]
    [TestCase("--collect makes the result of the comparison in a folder; name it with --out", "--collect")]
    [TestCase("--collect makes the result of what is in --out, so it does not take --variants", "--collect", "--variants", "attention,gru")]
    [TestCase("--shard 1/2: all shares go into one folder; name it with --out", "--variants", "attention,gru", "--shard", "1/2")]
    [TestCase("--jobs 1000: expected 1 to ", "--variants", "attention,gru", "--jobs", "1000", "--dry-run")]
    [TestCase("train.seed: every variant is trained with the same seeds; name them in seeds", "--variants", "attention,gru", "--set", "train.seed=3")]
    [TestCase("--seed 4: --seeds 2 names the seeds; leave one of them out", "--variants", "attention,gru", "--seed", "4", "--seeds", "2")]
    [TestCase("--data -: can be read only once", "--variants", "attention,gru", "--task", "text", "--data", "-")]
    [TestCase("cannot read nowhere.json", "nowhere.json")]
    public void WhatIsWrongIsSaidBeforeAnythingRuns(string problem, params string[] args)
    {
        using var folder = new TemporaryFolder();
        bool isCollected = args.Contains("--collect"), hasFolder = !isCollected && !args.Contains("1/2");
        CommandLine run = CommandLine.Run(["compare", .. isCollected || args.Contains("--data") ? Array.Empty<string>() : s_small, .. hasFolder ? ["--out", Path.Combine(folder.Path, "c")] : Array.Empty<string>(), .. args]);
        Assert.That(run.Code, Is.Not.Zero);
        Assert.That(run.ErrorLines[^1], Does.Contain(problem).And.Not.Contain("a fault of this program"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
    }
}
