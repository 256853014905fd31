using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training;

/// <summary>The plan of a whole run against what the run takes: training, evaluating, measuring and sampling.</summary>
[NonParallelizable]
public class RunMemoryTests
{
    [TestCase("model.context=8")]
    [TestCase("model.context=64", "train.batch=1")]
    [TestCase("model.context=128", "train.batch=1", "model.mixer=sliding-window")]
    [TestCase("model.context=128", "train.batch=1", "geometry.measures=[\"attention\", \"cka\", \"drift\"]")]
    [TestCase("model.context=64", "model.feedForward=moe", "model.mixer=gated-attention", "data.documents=mark", "data.maskDocuments=true")]
    [TestCase("model.context=64", "train.trainable=[\"model.layers.1.*\", \"model.norm.weight\"]")]
    [TestCase("model.context=64", "train.sampleEvery=3", "generation.maxTokens=80")]
    public void WhatIsPlannedIsWhatARunAllocates(params string[] settings)
    {
        using var rig = new TrainRig();
        // Long enough that the plan, which does not know the text, takes as many windows as the run.
        rig.Write("text.txt", string.Concat(Enumerable.Repeat(TrainRig.Text, 30)));
        RunConfig config = rig.Config(["geometry.enabled=true", "geometry.every=4", "geometry.probeTokens=256", .. settings]);
        using var cpu = new CpuBackend(1);
        using var backend = new CountingBackend(cpu);
        using (TrainSession session = TrainSession.Open(config, backend, rig["run"]))
        {
            new TrainLoop(session).Run();
            config = session.Config;
        }

        RunMemory plan = RunMemory.Of(config, cpu);
        // A prompt is as short as it is, a plan takes it for the longest.
        Assert.That(backend.AllocatedBytes, config.Train.SampleEvery > 0 ? Is.InRange(0.98 * plan.DeviceBytes, plan.DeviceBytes) : Is.EqualTo(plan.DeviceBytes));
        Assert.That(plan.PeakBytes, Is.EqualTo(plan.DeviceBytes + plan.SampleBytes));
    }

    [Test]
    public void TheMemoryOfAWindowGrowsNoFasterThanTheContextMeasuredOrNot()
    {
        using var cpu = new CpuBackend(1);
        RunMemory Of(int context, bool measured) => RunMemory.Of(
            new ConfigTree("nano").Set("tokenizer=byte").Set("model.mixer=sliding-window").Set("model.mixer.window=256").Set("train.batch=1")
                .Set($"model.context={context}").Set($"geometry.enabled={(measured ? "true" : "false")}").Build().WithVocab(256), cpu);
        RunMemory small = Of(8192, measured: true), large = Of(32768, measured: true);
        Assert.That(large.PeakBytes, Is.LessThan(4.1 * small.PeakBytes));
        Assert.That(large.PeakBytes, Is.LessThan(1.1 * Of(32768, measured: false).PeakBytes));
    }

    [Test]
    public void ARunThatDoesNotFitIsRefusedBeforeAnythingIsAllocated()
    {
        using var rig = new TrainRig();
        using var cpu = new CpuBackend(1);
        RunConfig config = rig.Config("geometry.enabled=true", "train.batch=1", "train.evaluateEvery=4");
        RunMemory plan = RunMemory.Of(config.WithVocab(256), cpu);
        Assert.That(plan.DeviceBytes, Is.GreaterThan(plan.Step.PeakBytes), "a step would fit");
        using var backend = new CountingBackend(cpu) { Free = plan.DeviceBytes - 1 };
        UserException fault = Assert.Throws<UserException>(() => TrainSession.Open(config, backend, rig["run"]).Dispose())!;
        Assert.That(fault.Message, Does.StartWith("a training step: "));
        Assert.That((backend.AllocatedBytes, Directory.Exists(rig["run"])), Is.EqualTo((0L, false)));
    }

    [TestCase(64)]
    [TestCase(512)]
    [TestCase(2048)]
    [TestCase(8192)]
    [Category("Long")]
    public void TheSystemSeesWhatIsPlanned(int context)
    {
        using var rig = new TrainRig();
        rig.Write("text.txt", string.Concat(Enumerable.Repeat(TrainRig.Text, 100)));
        string[] arguments =
        [
            "--preset", "nano", "--data", rig.TextPath, "--batch", "1", "--context", $"{context}", "--steps", "2", "--device", "cpu", "--threads", "2", "--json",
            "--set", "tokenizer=byte",
        ];
        string program = Path.Combine(AppContext.BaseDirectory, "nanofold.dll");
        var start = new ProcessStartInfo("dotnet", [program, "train", "--out", rig["run"], .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        JsonObject trained = JsonNode.Parse(process.StandardOutput.ReadToEnd())!.AsObject();
        process.WaitForExit();
        Assert.That(new FileInfo(Path.Combine(rig["run"], RunFolder.GeometryFile)).Length, Is.Positive, error.Result);
        JsonObject plan = CommandLine.Json(["plan", .. arguments[..^3], "--set", "tokenizer=byte"]);
        double planned = plan["residentBytes"]!.GetValue<double>(), measured = trained["peakRssBytes"]!.GetValue<double>();
        Assert.That(measured, Is.EqualTo(planned).Within(15).Percent);
    }
}
