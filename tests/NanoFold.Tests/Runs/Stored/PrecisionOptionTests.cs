using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Stored;

/// <summary>Runs that are evaluated and write with products of operands rounded to bfloat16.</summary>
[NonParallelizable]
public sealed class PrecisionOptionTests
{
    private static readonly string[] s_settings =
    [
        "train.precision=bf16", "train.batch=8", "model.width=32", "model.heads=4", "model.hidden=48", "model.context=16", "model.initialization=scaled", "train.warmup=0",
    ];

    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void AnEvaluationComputesAsTheRunDid()
    {
        TrainSummary run = _rig.Train("run", s_settings);
        CommandLine single = CommandLine.Run("eval", "--model", _rig["run"], "--threads", "1", "--json"), rounded = CommandLine.Run("eval", "--model", _rig["run"], "--threads", "1", "--json", "--precision", "bf16");
        double Loss(CommandLine of) => (double)JsonNode.Parse(of.Standard)!["loss"]!;
        Assert.That(Loss(rounded), Is.EqualTo(run.Validation!.Value.Loss).Within(1e-9));
        Assert.That(Loss(single), Is.Not.EqualTo(Loss(rounded)).And.EqualTo(Loss(rounded)).Within(0.01));
        Assert.That(single.ErrorLines, Has.Some.EqualTo("nanofold: it was trained in bf16 and is computed in fp32; --precision bf16 computes as training does"));
        Assert.That(rounded.ErrorLines, Has.None.Contains("was trained in"));
    }

    [Test]
    public void WhatWritesKeepsItsWeightsIn16Bits()
    {
        _rig.Train("run", s_settings);
        string Written(int samples, params string[] more) => CommandLine.Json(
            ["generate", "--model", _rig["run"], "--prompt", "no. 012: a cat sat on mat 12. no. 013: ", "--samples", $"{samples}", "--max-tokens", "8", "--seed", "1", "--threads", "1", "--precision", "bf16", .. more])
            ["samples"]![0]!["tokenIds"]!.ToJsonString();
        Assert.That(Written(1), Is.EqualTo(Written(1, "--weights", "bf16")));
        Assert.That(Written(3), Is.EqualTo(Written(1)), "whatever is written beside it");

        double Bytes(string precision) => (double)CommandLine.Json(
            "bench", "decode", "--preset", "nano", "--set", "tokenizer=byte", "--prompt-tokens", "8", "--tokens", "2", "--threads", "1", "--precision", precision)["bytesPerToken"]!;
        // Keys and values are in single precision, and so are rows of norms.
        Assert.That(Bytes("bf16") / Bytes("fp32"), Is.InRange(0.5, 0.53));
        JsonObject streams = CommandLine.Json("bench", "streams", "--model", _rig["run"], "--streams", "1,2", "--prompt-tokens", "2", "--tokens", "2", "--threads", "1", "--precision", "bf16");
        Assert.That(streams["cases"]!.AsArray(), Has.Count.EqualTo(2));
    }

    [Test]
    public void WhatIsNotKnownIsRefusedInALine()
    {
        CommandLine run = CommandLine.Run("generate", "--model", _rig["none"], "--precision", "fp16");
        Assert.That((run.Code, run.ErrorLines[0]), Is.EqualTo((2, "nanofold: --precision: expected fp32, bf16, not 'fp16'")));
    }
}
