using System.Text.Json.Nodes;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Stored;

/// <summary><c>--activations</c>: where it makes a difference, and what is said where it makes none.</summary>
[NonParallelizable]
public class ActivationOptionTests
{
    private TrainRig _rig = null!;

    [OneTimeSetUp]
    public void SetUp()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.steps=1", "model.width=32", "model.context=32");
    }

    [OneTimeTearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void TextsAreWrittenWithRoundedActivations()
    {
        JsonObject result = CommandLine.Json("generate", "--model", _rig["run"], "--weights", "q8_0", "--activations", "int8", "--prompt", "a", "--max-tokens", "3", "--ignore-eos", "--threads", "1");
        Assert.That(result["samples"]![0]!["tokenIds"]!.AsArray(), Has.Count.EqualTo(3));
    }

    [TestCase("generate --weights f32 --activations int8 --prompt a", 1, "has no matrices of Q8_0, Q4_0 or Q4_1 in memory; leave it out, or add --weights q8_0")]
    [TestCase("generate --activations int4 --prompt a", 2, "--activations: expected f32, int8, not 'int4'")]
    [TestCase("bench weights --weights auto,f32 --activations int8 --prompt-tokens 4 --tokens 4", 1, "has no matrices of Q8_0, Q4_0 or Q4_1 in memory with auto or f32; leave --activations out, or add --weights q8_0")]
    [TestCase("bench weights --activations int4", 2, "--activations: expected f32, int8 or all, got 'int4'")]
    public void WhatChangesNothingIsRefusedInALine(string line, int code, string reason)
    {
        CommandLine run = CommandLine.Run([.. line.Split(' '), "--model", _rig["run"], "--device", "cpu"]);
        Assert.That((run.Code, run.Standard), Is.EqualTo((code, "")));
        Assert.That(run.ErrorLines[0], Does.StartWith("nanofold: ").And.EndsWith(reason));
    }

    [Test]
    public void TypesOfWeightsAreTimedWithBothWhereItMatters()
    {
        JsonObject result = CommandLine.Json(
            "bench", "weights", "--model", _rig["run"], "--weights", "f32,q8_0", "--activations", "f32,int8", "--prompt-tokens", "4", "--tokens", "4", "--threads", "1");
        Assert.That(
            result["weights"]!.AsArray().Select(row => ((string?)row!["weights"], (string?)row["activations"])),
            Is.EqualTo(new[] { ("f32", "f32"), ("q8_0", "f32"), ("q8_0", "int8") }));
    }
}
