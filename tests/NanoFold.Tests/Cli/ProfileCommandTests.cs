using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli;

[NonParallelizable]
public class ProfileCommandTests
{
    private TrainRig _rig = null!;

    // One for all: the machine is measured once.
    [OneTimeSetUp]
    public void SetUp() => _rig = new TrainRig();

    [OneTimeTearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void OpsAndKernelsHaveTheirKeys()
    {
        JsonObject profile = CommandLine.Json(Arguments("--steps", "3", "--trace", _rig["trace.json"]));

        foreach (JsonNode? row in profile["ops"]!.AsArray().Concat(profile["kernels"]!.AsArray()))
        {
            Assert.That(row!.AsObject().Select(p => p.Key), Is.EqualTo(
                new[] { "name", "phase", "calls", "ms", "share", "flops", "bytes", "gflops", "gbps", "bound", "rooflineShare" }));
            Assert.That((string?)row["phase"], Is.AnyOf("begin", "forward", "backward", "update"));
            Assert.That((string?)row["bound"], Is.AnyOf("compute", "memory"));
        }

        Assert.That((double?)profile["peak"]!["flopsPerSecond"], Is.GreaterThan(0));
        Assert.That((double?)profile["peak"]!["bytesPerSecond"], Is.GreaterThan(0));
        Assert.That((double?)profile["tokensPerSecond"], Is.GreaterThan(0));
        Assert.That(profile["overhead"]!.GetValueKind(), Is.EqualTo(JsonValueKind.Number));
        Assert.That((int?)profile["steps"], Is.EqualTo(3));
        double ms = profile["ops"]!.AsArray().Sum(op => (double)op!["ms"]!);
        Assert.That(ms + (double)profile["msInNoOp"]!, Is.EqualTo((double)profile["stepMs"]!).Within(1e-6));
        Assert.That(JsonNode.Parse(File.ReadAllText(_rig["trace.json"]))!["traceEvents"]!.AsArray(), Has.Count.GreaterThan(100));
    }

    [Test]
    public void TheTableFitsATerminal()
    {
        // By node no row is folded into others for its share of the time.
        CommandLine run = CommandLine.Run(Arguments("--steps", "2", "--by", "node"));

        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Standard, Does.Contain("blocks.0.attn.linear q_proj").And.Contain("matmul 24×16×8").And.Contain("\nin no op").And.Contain("\nlargest:"));
        Assert.That(run.Standard.Split('\n').SkipWhile(l => !l.StartsWith("op ")).TakeWhile(l => !l.StartsWith("step ") || l.Contains("100")).Max(l => l.Length), Is.LessThanOrEqualTo(100));
    }

    [TestCase("--by layer", 2, "--by layer: expected one of op, module, node")]
    [TestCase("--batch auto", 2, "profile: --batch auto is for train")]
    [TestCase("--steps 1001", 2, "profile: --steps 1001: at most 1000")]
    [TestCase("--steps 0", 2, "train.steps: ")]
    [TestCase("--trace .", 1, "--trace .: is a folder; name a file")]
    [TestCase("--trace no/such/folder/trace.json", 1, "--trace no/such/folder/trace.json: there is no folder ")]
    [TestCase("--tracee f", 2, "--tracee: unknown option; did you mean --trace?")]
    public void WhatCannotBeIsALine(string options, int code, string problem)
    {
        CommandLine run = CommandLine.Run(Arguments(options.Split(' ')));

        Assert.That((run.Code, run.Standard), Is.EqualTo((code, "")));
        Assert.That(run.ErrorLines[0], Does.StartWith($"nanofold: {problem}"));
    }

    private string[] Arguments(params string[] more) => ["profile", "--threads", "1", .. _rig.Settings("train.batch=1").SelectMany(setting => new[] { "--set", setting }), .. more];
}
