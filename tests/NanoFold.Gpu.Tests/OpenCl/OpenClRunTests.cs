using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Runs with <c>--device opencl</c>, from the command line: trained, taken up again, evaluated, written with and measured.</summary>
[Category(OpenClDevice.Category)]
[NonParallelizable]
public sealed class OpenClRunTests
{
    private const int Steps = 12;

    private TrainRig _rig = null!;

    [OneTimeSetUp]
    public void Train()
    {
        // Skips where there is none.
        OpenClDevice.Open().Dispose();
        _rig = new TrainRig();
        CommandLine.Json(Command("run"));
    }

    [OneTimeTearDown]
    public void Dispose() => _rig?.Dispose();

    [Test]
    public void LossesAreThoseOfTheCpu()
    {
        _rig.Train("cpu");
        double[] losses = Losses("run"), expected = Losses("cpu");
        Assert.That(losses, Has.Length.EqualTo(2));
        Assert.That(losses, Is.EqualTo(expected).Within(1e-5));
    }

    [Test]
    public void ARunThatStoppedGoesOnToTheSameBits()
    {
        CommandLine.Json([.. Command("stopped"), "--set", "train.stopAfter=4"]);
        CommandLine resumed = CommandLine.Run("train", "--resume", _rig["stopped"], "--device", "opencl");
        Assert.That(resumed.Code, Is.Zero, resumed.Error);
        Assert.That(resumed.Standard, Does.Contain("going on after step 4"));
        _rig.AssertSame("stopped", "run", Steps);
    }

    [Test]
    public void ItIsEvaluated()
    {
        double[] losses = [.. Each("eval", "--model", _rig["run"]).Select(r => r["loss"]!.GetValue<double>())];
        Assert.That(losses[0], Is.EqualTo(losses[1]).Within(1e-5));
    }

    [Test]
    public void ItWrites()
    {
        JsonObject[] texts = Each("generate", "--model", _rig["run"], "--prompt", "no. ", "--max-tokens", "20", "--temperature", "0");
        Assert.That(texts[0]["samples"]!.ToJsonString(), Is.EqualTo(texts[1]["samples"]!.ToJsonString()));
    }

    [Test]
    public void ItsGeometryIsMeasured()
    {
        string[] folders = ["opencl", "cpu"];
        foreach (string device in folders)
        {
            CommandLine.Json("geometry", "--model", _rig["run"], "--checkpoints", $"{Steps}", "--measures", "norms,cka", "--controls", "none", "--out", _rig[$"geometry-{device}"], "--device", device);
        }

        double[][] figures = [.. folders.Select(f => JsonLinesLog.Read(Path.Combine(_rig[$"geometry-{f}"], "geometry.jsonl")).SelectMany(line => Numbers(line)).ToArray())];
        Assert.That(figures[0], Has.Length.GreaterThan(10));
        Assert.That(figures[0], Is.EqualTo(figures[1]).Within(1e-3).Percent);
    }

    private string[] Command(string folder) =>
        ["train", "--device", "opencl", .. _rig.Settings().SelectMany(setting => new[] { "--set", setting }), "--out", _rig[folder]];

    /// <summary>What a verb gives on OpenCL, and on the CPU.</summary>
    private static JsonObject[] Each(params string[] verb) =>
        [CommandLine.Json([.. verb, "--device", "opencl"]), CommandLine.Json([.. verb, "--device", "cpu"])];

    /// <summary>Of validation.</summary>
    private double[] Losses(string folder) =>
        [.. JsonLinesLog.Read(Path.Combine(_rig[folder], "metrics.jsonl")).Where(l => l.TryGetProperty("validationLoss", out _)).Select(l => l.GetProperty("validationLoss").GetDouble())];

    private static IEnumerable<double> Numbers(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number => [element.GetDouble()],
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Numbers),
        JsonValueKind.Object => element.EnumerateObject().Where(p => !p.Name.Contains("econds", StringComparison.Ordinal)).SelectMany(p => Numbers(p.Value)),
        _ => [],
    };
}
