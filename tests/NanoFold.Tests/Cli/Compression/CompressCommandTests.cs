using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli.Compression;

/// <summary><c>compress</c> and <c>decompress</c>.</summary>
[NonParallelizable]
public class CompressCommandTests
{
    private TrainRig _rig = null!;

    [OneTimeSetUp]
    public void SetUp()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.steps=20");
    }

    [OneTimeTearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void AFileComesBackToTheByte()
    {
        string text = _rig.Write("chapter.txt", TrainRig.Text), packed = $"{text}.nfc";
        JsonObject result = CommandLine.Json("compress", text, "--model", _rig["run"], "--curve", _rig["curve.csv"], "--threads", "1");
        Assert.That((string?)result["path"], Is.EqualTo(packed));
        Assert.That((long)result["bytes"]!, Is.EqualTo(new FileInfo(packed).Length));
        Assert.That((long)result["tokens"]!, Is.EqualTo(TrainRig.Text.Length));
        Assert.That((double)result["crossEntropy"]!, Is.LessThan((double)result["bitsPerByte"]!));
        Assert.That(result["others"]!.AsObject().Select(other => other.Key), Is.EqualTo(new[] { "gzip", "xz", "zstd" }));
        Assert.That((long)result["withModel"]!["fp32"]!, Is.EqualTo((long)result["bytes"]! + (long)result["model"]!["fp32"]!));
        string[] curve = File.ReadAllLines(_rig["curve.csv"]);
        Assert.That(curve[0], Is.EqualTo("offset,bytes,bitsPerByte,meanBitsPerByte"));
        Assert.That(curve.Skip(1).Sum(line => int.Parse(line.Split(',')[1])), Is.EqualTo(TrainRig.Text.Length));

        Assert.That(Refused("compress", text, "--model", _rig["run"]), Does.Contain("is there already"));
        Assert.That(Refused("decompress", packed, "--model", _rig["run"]), Does.Contain("is there already"));
        Assert.That(Refused("decompress", packed, "--out", _rig["back.txt"]), Does.Contain("name it with --model"));
        CommandLine back = CommandLine.Run("decompress", packed, "--model", _rig["run"], "--out", _rig["back.txt"]);
        Assert.That(back.Code, Is.Zero, back.Error);
        Assert.That(File.ReadAllText(_rig["back.txt"]), Is.EqualTo(TrainRig.Text));
    }

    [Test]
    public void AModelThatLearnsNeedsNoModel()
    {
        string text = _rig.Write("learned.txt", TrainRig.Text[..400]);
        string[] settings = ["--set", "model.layers=1", "--set", "model.width=16", "--set", "model.heads=2", "--set", "model.context=8", "--passes", "1"];
        CommandLine run = CommandLine.Run(["compress", text, "--prequential", "--out", _rig["learned.nfc"], .. settings, "--curve", _rig["curve.json"]]);
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Standard, Does.Contain("learned while coding").And.Contain("xz"));
        Assert.That(run.Standard.Split('\n').Max(line => line.Length), Is.LessThanOrEqualTo(80));
        Assert.That((long?)JsonNode.Parse(File.ReadAllText(_rig["curve.json"]))!.AsArray()[0]!["coded"], Is.Zero);
        Assert.That(CommandLine.Run("decompress", _rig["learned.nfc"]).Code, Is.Zero);
        Assert.That(File.ReadAllText(_rig["learned"]), Is.EqualTo(TrainRig.Text[..400]));
    }

    [Test]
    public void RoundedWeightsAreRecordedAndACurveIsAPage()
    {
        string text = _rig.Write("rounded.txt", TrainRig.Text);
        JsonObject result = CommandLine.Json("compress", text, "--model", _rig["run"], "--weights", "f16", "--out", _rig["rounded.nfc"], "--curve", _rig["curve.html"], "--alone");
        Assert.That((string?)result["weights"], Is.EqualTo("f16"));
        Assert.That((long)result["model"]!["f16"]!, Is.LessThan((long)result["model"]!["fp32"]!));
        Assert.That((long)result["withModel"]!["f16"]!, Is.EqualTo((long)result["bytes"]! + (long)result["model"]!["f16"]!));
        string page = File.ReadAllText(_rig["curve.html"]);
        Assert.That(page, Does.Contain($"nanofold compress {text} --model {_rig["run"]} --weights f16 --out "), "the command that makes it again");
        Assert.That(page, Does.Contain("<h1>rounded.txt</h1>").And.Contain("Bits per byte").And.Contain("with it in f16").And.Contain("--weights f16"));
        JsonObject check = CommandLine.Json("decompress", _rig["rounded.nfc"], "--check");
        Assert.That(((long)check["bytes"]!, (long)check["packedBytes"]!), Is.EqualTo((TrainRig.Text.Length, (long)result["bytes"]!)));
        Assert.That((string)check["how"]!, Does.Match("^with the model [0-9a-f]{16}, its weights in Float16, .+, 1 lane$"));
        CommandLine back = CommandLine.Run("decompress", _rig["rounded.nfc"], "--model", _rig["run"], "--out", _rig["rounded.back"]);
        Assert.That(back.Code, Is.Zero, back.Error);
        Assert.That(File.ReadAllText(_rig["rounded.back"]), Is.EqualTo(TrainRig.Text));
    }

    [Test]
    [Category("Long")]
    public void PortableFilesAreReadWithoutVectorInstructions()
    {
        string text = _rig.Write("portable.txt", TrainRig.Text), packed = $"{text}.nfc";
        Assert.That(CommandLine.Run("compress", text, "--model", _rig["run"], "--portable", "--alone").Code, Is.Zero);
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "nanofold.dll"), "decompress", packed, "--model", _rig["run"], "--out", _rig["portable.back"]]);
        // No fused multiply-add but in software, and no vectors: as another machine.
        start.Environment["DOTNET_EnableHWIntrinsic"] = "0";
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero);
        Assert.That(File.ReadAllText(_rig["portable.back"]), Is.EqualTo(TrainRig.Text));
    }

    [TestCase("compress {text}", "--model or --prequential is needed")]
    [TestCase("compress {text} --model {run} --prequential", "one of them predicts")]
    [TestCase("compress {text} --model {run} --passes 3", "give --prequential")]
    [TestCase("compress {text} --prequential --passes 0", "--passes: expected a number")]
    [TestCase("compress {text} --prequential --preset huge", "unknown preset")]
    [TestCase("compress {text} --model {run} --curve {folder}/c.txt", "expected .csv, .json or .html")]
    [TestCase("compress {text} --prequential --weights f16", "--weights: is of a model that is there")]
    [TestCase("compress {text} --prequential --adapter {folder}", "--adapter: is of a model that is there")]
    [TestCase("compress {text} --model {run} --weights f12", "expected auto, f32, f16")]
    [TestCase("compress {folder}/none --model {run}", "none")]
    [TestCase("compress {folder} --model {run}", "is a folder")]
    [TestCase("decompress {text} --model {run}", "does not end in .nfc")]
    [TestCase("decompress {text} --out {folder}/x", "no file that compress wrote")]
    [TestCase("decompress {text} --check", "no file that compress wrote")]
    public void WhatCannotBeIsSaidInALine(string line, string reason)
    {
        string text = _rig.Write("in.txt", "some text");
        string error = Refused([.. line.Split(' ').Select(word => word.Replace("{text}", text).Replace("{run}", _rig["run"]).Replace("{folder}", Path.GetDirectoryName(text)))]);
        Assert.That(error, Does.Contain(reason));
        Assert.That(File.Exists($"{text}.nfc"), Is.False);
    }

    private static string Refused(params string[] args)
    {
        CommandLine run = CommandLine.Run(args);
        Assert.That(run.Code, Is.Not.Zero);
        Assert.That(run.Error, Does.Not.Contain("fault of this program"));
        return run.Error;
    }
}
