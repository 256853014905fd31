using System.Text.Json;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training;

/// <summary>What metrics.jsonl says of each step, and how a run that was given no name is called.</summary>
[NonParallelizable]
public class RunMetricsTests
{
    private static readonly string[] s_experts = ["model.feedForward=moe", "model.feedForward.experts=4", "model.feedForward.active=2", "train.accumulate=2"];

    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [Test]
    public void EachLineSaysHowFarTheRunIs()
    {
        RunConfig config = _rig.Config([.. s_experts, "train.stopAfter=7"]);
        _rig.Train("run", config);
        double before = Steps().Concat(Evaluations()).Max(line => line.GetProperty("elapsedSeconds").GetDouble());
        _rig.Resume("run");
        JsonElement[] steps = Steps(), evaluations = Evaluations();

        double flops = CostModel.FlopsPerToken(config.WithVocab(256).Model);
        Assert.That(steps.Select(line => line.GetProperty("tokens").GetInt64()), Is.EqualTo(Enumerable.Range(1, 12).Select(step => step * 3 * 2 * 8)));
        Assert.That(evaluations.Select(line => line.GetProperty("tokens").GetInt64()), Is.EqualTo(new[] { 6 * 48, 12 * 48 }));
        Assert.That(steps.Select(line => line.GetProperty("flops").GetDouble()), Is.EqualTo(Enumerable.Range(1, 12).Select(step => step * 48 * flops)).Within(1e-9).Percent);
        double[] elapsed = [.. steps.Select(line => line.GetProperty("elapsedSeconds").GetDouble())];
        Assert.That(elapsed, Is.Ordered.And.All.Positive);
        Assert.That(elapsed[7], Is.GreaterThanOrEqualTo(before), "a run that is taken up goes on counting");
    }

    [Test]
    public void RatesClippingAndLoadsAreThere()
    {
        RunConfig config = _rig.Config([.. s_experts, "train.clip=1.2", "train.warmup=2", "train.evaluateEvery=12"]);
        _rig.Train("run", config);
        JsonElement[] steps = Steps();

        double Rate(JsonElement line, string key) => line.GetProperty(key).GetDouble();
        double share = ((MuonConfig)config.Train.Optimizer).MatrixLearningRate!.Value / config.Train.LearningRate!.Value;
        Assert.That(steps.Select(line => Rate(line, "matrixLearningRate")), Is.EqualTo(steps.Select(line => share * Rate(line, "learningRate"))).Within(1e-9).Percent);
        Assert.That(steps.Select(line => line.GetProperty("clipped").GetBoolean()), Is.EqualTo(steps.Select(line => Rate(line, "gradientNorm") > 1.2)).And.Contains(true).And.Contains(false));
        foreach (JsonElement line in steps)
        {
            double[][] loads = [.. line.GetProperty("expertLoad").EnumerateArray().Select(router => router.EnumerateArray().Select(e => e.GetDouble()).ToArray())];
            Assert.That(loads, Has.Length.EqualTo(2), "a router in each of two layers");
            Assert.That(loads, Has.All.Length.EqualTo(4));
            Assert.That(loads.Select(router => router.Sum()), Is.All.EqualTo(1).Within(3e-4));
            Assert.That(line.GetProperty("expertLayer").EnumerateArray().Select(layer => layer.GetInt32()), Is.EqualTo(new[] { 0, 1 }));
            Assert.That(line.GetProperty("expertEntropy").EnumerateArray().Select(e => e.GetDouble()), Has.Exactly(2).InRange(0, 1));
            Assert.That(line.GetProperty("expertDrops").EnumerateArray().Select(e => e.GetInt64()), Is.EqualTo(new long[] { 0, 0 }));
        }
    }

    [Test]
    public void AModelWithoutRoutersAndMuonHasNeitherLoadsNorASecondRate()
    {
        _rig.Train("run", "train.optimizer=adamw", "train.clip=0", "train.stopAfter=1");
        JsonElement line = Steps()[0];

        Assert.That((line.TryGetProperty("expertLoad", out _), line.TryGetProperty("matrixLearningRate", out _)), Is.EqualTo((false, false)));
        Assert.That(line.GetProperty("clipped").GetBoolean(), Is.False);
    }

    /// <summary>Against what a reader of the training pass sees of each micro-batch.</summary>
    [Test]
    public void LoadsAreThoseOfTheWholeStep()
    {
        using var backend = new CpuBackend(1);
        using var session = TrainSession.Open(_rig.Config(s_experts), backend, _rig["run"]);
        var reader = new LoadReader();
        session.Trainer.Taps = new TapSet([reader]);
        session.Trainer.Step(0);

        Assert.That(reader.Loads, Has.Count.EqualTo(2 * 2));
        IReadOnlyList<ExpertLoad> loads = session.Trainer.ReadExpertLoads();
        for (int layer = 0; layer < 2; layer++)
        {
            double[] expected = [.. reader.Loads[layer].Zip(reader.Loads[2 + layer], (first, second) => (first + second) / 2.0)];
            Assert.That(loads[layer].Layer, Is.EqualTo(layer));
            Assert.That(loads[layer].Shares, Is.EqualTo(expected).Within(1e-6));
            Assert.That(loads[layer].Entropy, Is.EqualTo(-expected.Where(s => s > 0).Sum(s => s * Math.Log(s)) / Math.Log(4)).Within(1e-6));
            Assert.That(loads[layer].Dropped, Is.Zero);
        }
    }

    [TestCase("nano-attention-swiglu-muon-seed1-20260131-093000")]
    [TestCase("nano-attention-swiglu-muon-seed1-20260131-093000", "model.layers=6")]
    [TestCase("small-gated-attention-moe-adamw-seed3-20260131-093000", "preset=small", "model.mixer=gated-attention", "model.feedForward=moe", "train.optimizer=adamw", "train.seed=3")]
    [TestCase("nano-attention+gru-swiglu-muon-seed1-20260131-093000", "model.pattern=[{},{\"mixer\":\"gru\"}]")]
    public void ARunWithoutANameIsNamedByWhatTellsItApart(string name, params string[] settings)
        => Assert.That(
            RunName.Unused(settings.Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build(), new DateTime(2026, 1, 31, 9, 30, 0)),
            Is.EqualTo(Path.Combine("runs", name)));

    private JsonElement[] Steps() => [.. Lines().Where(line => line.TryGetProperty("loss", out _))];

    private JsonElement[] Evaluations() => [.. Lines().Where(line => line.TryGetProperty("validationLoss", out _))];

    private IReadOnlyList<JsonElement> Lines() => JsonLinesLog.Read(Path.Combine(_rig["run"], RunFolder.MetricsFile));

    private sealed class LoadReader : ITapReader
    {
        public string Pattern => "blocks.*.mlp.hook_expert_load";

        public List<float[]> Loads { get; } = [];

        public void Read(TapValue value) => Loads.Add(value.ToArray());
    }
}
