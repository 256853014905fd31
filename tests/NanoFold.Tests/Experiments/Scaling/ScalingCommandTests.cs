using System.Text.Json.Nodes;
using NanoFold.Cli.Running;
using NanoFold.Engine.Experiments;
using NanoFold.Kernels.Cpu;
using NanoFold.Reports;
using NanoFold.Reports.Charts;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Experiments.Scaling;

/// <summary><c>scaling</c> from its options to a page.</summary>
[NonParallelizable]
public class ScalingCommandTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void Begin()
    {
        _rig = new TrainRig();
        RunSets.Starter = new InProcessRuns(order => new CpuBackend(order.Threads));
    }

    [TearDown]
    public void End()
    {
        RunSets.Starter = null;
        _rig.Dispose();
    }

    [Test]
    public void AGridIsTrainedFittedAndShown()
    {
        string[] line = ["scaling", .. Recipe("--sizes", "8x1,16x1,24x1", "--tokens", "48,96,192", "--out", _rig["grid"])];
        JsonObject result = CommandLine.Json(line);
        JsonObject[] runs = [.. result["runs"]!.AsArray().Select(run => run!.AsObject())];
        Assert.That(runs, Has.Length.EqualTo(9));
        Assert.That(runs.Select(run => (string?)run["run"]).Take(2), Is.EqualTo(new[] { "runs/w8-l1-t48-seed1", "runs/w8-l1-t96-seed1" }));
        Assert.That(runs.Select(run => (long)run["tokens"]!).Take(3), Is.EqualTo(new[] { 48L, 96L, 192L }));
        JsonObject fit = result["fit"]!.AsObject();
        Assert.That((double)fit["sizeExponent"]! + (double)fit["tokensExponent"]!, Is.EqualTo(1).Within(1e-9));
        Assert.That(fit["intervals"]!.AsObject().Select(pair => pair.Key), Is.EqualTo(new[] { "e", "a", "alpha", "b", "beta", "sizeExponent", "tokensExponent" }));
        foreach (JsonObject run in runs)
        {
            Assert.That((double)run["residual"]!, Is.EqualTo(Math.Log((double)run["loss"]! / (double)run["predicted"]!)).Within(1e-9));
            var trained = JsonNode.Parse(File.ReadAllText(_rig[$"grid/{run["run"]}/result.json"]))!;
            Assert.That((double)run["loss"]!, Is.EqualTo((double)(trained["fullValidationLoss"] ?? trained["validationLoss"])!), "traced to its folder");
        }

        // C = 6 N D, in the table as in JSON.
        foreach (JsonNode? point in result["computeOptimal"]!.AsArray())
        {
            Assert.That((double)point!["flops"]!, Is.EqualTo(6 * (double)point["parameters"]! * (double)point["tokens"]!).Within(1e-9).Percent);
        }

        Assert.That(CommandLine.Run("scaling", "--collect", "--out", _rig["grid"]).Standard, Does.Match(@"(?m)^best for C = 6 N D +params +tokens +tokens/param +loss"));

        // The same command has nothing left to do, and gives the same; what is there can be collected alone.
        DateTime written = File.GetLastWriteTimeUtc(_rig["grid/runs/w8-l1-t48-seed1/metrics.jsonl"]);
        Assert.That(CommandLine.Json(line).ToJsonString(), Is.EqualTo(result.ToJsonString()));
        Assert.That(CommandLine.Json("scaling", "--collect", "--out", _rig["grid"]).ToJsonString(), Is.EqualTo(result.ToJsonString()));
        Assert.That(File.GetLastWriteTimeUtc(_rig["grid/runs/w8-l1-t48-seed1/metrics.jsonl"]), Is.EqualTo(written));

        ReportPage page = Report.Of([_rig["grid"]], "report");
        Assert.That(page.Sections.Where(section => section.Items.Count > 0).Select(section => section.Title), Is.EqualTo(new[] { "Losses and the law", "The law", "Where FLOPs are spent best", "Residuals", "Runs" }));
        Series points = ((Chart)page.Figures.First().Views[0]).Series[0];
        Assert.That((points.Name, points.Y), Is.EqualTo(("w8-l1", runs.Take(3).Select(run => (double?)run["loss"]).ToArray())));
        Assert.That(File.ReadAllText(_rig["grid/report.html"]), Does.Contain("w24-l1"));
    }

    [Test]
    public void ADryRunTrainsNothing()
    {
        JsonObject planned = CommandLine.Json(["scaling", .. Recipe("--sizes", "8x1,16x2", "--tokens", "48,96", "--seeds", "3", "--dry-run", "--out", _rig["none"])]);
        Assert.That(((int)planned["runs"]!, (double)planned["tokens"]!), Is.EqualTo((12, 2 * 3 * 144.0)));
        Assert.That(planned["sizes"]!.AsArray().Select(size => ((string?)size!["name"], (int)size["layers"]!)), Is.EqualTo(new[] { ("w8-l1", 1), ("w16-l2", 2) }));
        Assert.That(Path.Exists(_rig["none"]), Is.False);
    }

    [Test]
    public void ACoordinateCheckIsWrittenForThePage()
    {
        JsonObject check = CommandLine.Json(["scaling", .. Recipe("--sizes", "8,16", "--coordinate-check", "--check-steps", "1", "--out", _rig["check"])]);
        Assert.That(check["parametrizations"]!.AsArray().Select(p => (string?)p!["parametrization"]), Is.EqualTo(new[] { "standard", "mup" }));
        Assert.That(File.Exists(_rig["check/coordinate-check.json"]), Is.True);
    }

    [TestCase("--sizes 8,tiny", "--sizes: 'tiny' is no size")]
    [TestCase("--tokens 5", "--tokens 5: is less than a step of 24 tokens")]
    [TestCase("--set train.steps=5", "train.steps: how long runs are is for --tokens to say")]
    [TestCase("--seeds 0", "--seeds 0: expected from 1 to 1000 seeds")]
    [TestCase("--coordinate-check --sizes 8", "--coordinate-check: one width shows no growth")]
    [TestCase("--set train.seed=5", "train.seed: which seeds runs have is for --seeds to say")]
    [TestCase("--seed 5 --seeds 2", "--seed and --seeds: both say which seeds runs have")]
    [TestCase("--check-steps 2", "--check-steps: has no effect without --coordinate-check")]
    [TestCase("--coordinate-check --tokens 48", "--tokens: no effect with --coordinate-check; leave it out")]
    [TestCase("--collect --sizes 8", "--sizes, --set: no effect with --collect; leave it out")]
    [TestCase("--batch auto", "train.batch: auto takes what suits each size and machine")]
    [TestCase("--sizes 7 --set model.heads=2", "--sizes 7: model.")]
    [TestCase("--data missing.txt", "missing.txt")]
    [TestCase("--jobs 1000 --dry-run", "--jobs 1000: expected 1 to ")]
    [TestCase("--set data.validation=missing.txt", "missing.txt")]
    public void BadInputIsOneLine(string options, string problem)
    {
        CommandLine run = CommandLine.Run(["scaling", .. Recipe([.. options.Split(' '), "--out", _rig["bad"]])]);
        Assert.That((run.Code, run.ErrorLines.Length), Is.Not.EqualTo((0, 0)));
        Assert.That(run.ErrorLines, Has.Length.EqualTo(1));
        Assert.That(run.ErrorLines[0], Does.Contain(problem));
        Assert.That(Path.Exists(_rig["bad"]), Is.False);
    }

    [Test]
    public void SharesNeedOneFolder()
        => Assert.That(CommandLine.Run(["scaling", .. Recipe("--sizes", "8x1,16x1", "--shard", "1/2")]).ErrorLines.Single(), Does.Contain("--shard 1/2: all shares go into one folder; name it with --out"));

    [Test]
    public void LimitsAndSeedsOfAFileAreRefusedAsThoseOfTheCommandLine()
    {
        const string Limit = "how long runs are is for --tokens to say", Seeds = "which seeds runs have is for --seeds to say";
        foreach ((string setting, string problem) in new[]
        {
            ("\"steps\": 5", $"train.steps: {Limit}"), ("\"minutes\": 0.1", $"train.minutes: {Limit}"), ("\"flops\": 1e9", $"train.flops: {Limit}"), ("\"tokens\": 960", $"train.tokens: {Limit}"),
            ("\"seed\": 5", $"train.seed: {Seeds}"), ("\"seed\": 0", $"train.seed: {Seeds}"),
        })
        {
            File.WriteAllText(_rig["recipe.json"], $"{{ \"train\": {{ {setting} }} }} // of one run");
            CommandLine run = CommandLine.Run(["scaling", .. Recipe("--config", _rig["recipe.json"], "--sizes", "8x1,16x1", "--tokens", "48,96", "--out", _rig["bad"])]);
            Assert.That((run.Code, run.ErrorLines.Single().Contains(problem, StringComparison.Ordinal)), Is.EqualTo((2, true)), run.ErrorLines[0]);
        }

        Assert.That(Path.Exists(_rig["bad"]), Is.False);
    }

    private string[] Recipe(params string[] options) =>
        [.. _rig.Settings().Where(setting => !setting.StartsWith("train.steps", StringComparison.Ordinal) && !setting.StartsWith("train.evaluateEvery", StringComparison.Ordinal)).SelectMany(setting => new[] { "--set", setting }), .. options];
}
