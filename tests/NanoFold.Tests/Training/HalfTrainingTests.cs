using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Halves;

namespace NanoFold.Tests.Training;

/// <summary>Training with activations of 16 bits, on the emulated device.</summary>
[NonParallelizable]
public class HalfTrainingTests
{
    private static readonly ModelConfig s_model = new()
    {
        Layers = 2, Width = 32, Heads = 4, Context = 16, Vocab = 50, Hidden = 48,
    };

    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [TestCase("swiglu", "adamw")]
    [TestCase("swiglu", "muon")]
    [TestCase("moe", "adamw")]
    public void LearnsWhatSinglePrecisionLearns(string feedForward, string optimizer)
    {
        string[] settings =
        [
            "train.steps=30", "train.evaluateEvery=30", "train.batch=4", "train.accumulate=2", "train.warmup=0", "model.width=32", "model.heads=4", "model.hidden=48", "model.context=16",
            $"model.feedForward={feedForward}", $"train.optimizer={optimizer}", "model.initialization=scaled", "geometry.enabled=true",
        ];
        TrainSummary single = Train("fp32", [.. settings, "train.precision=fp32"]);
        foreach (string precision in new[] { "bf16", "fp16" })
        {
            TrainSummary half = Train(precision, [.. settings, $"train.precision={precision}"]);
            Assert.That(half.Validation!.Value.Loss, Is.EqualTo(single.Validation!.Value.Loss).Within(0.03), precision);
            Assert.That(half.TrainLoss, Is.EqualTo(single.TrainLoss).Within(0.03), precision);
        }

        Assert.That(single.Validation!.Value.Loss, Is.LessThan(Math.Log(256) - 0.5));
    }

    [TestCase("bf16")]
    [TestCase("fp16")]
    public void AResumedRunIsOneThatNeverStopped(string precision)
    {
        string[] settings = [$"train.precision={precision}", "model.dropout=0.1", "train.recompute=true", "train.keepCheckpoints=9"];
        Train("straight", settings);
        Train("stopped", [.. settings, "train.stopAfter=7"]);
        using (var backend = new HalfBackend())
        {
            using var session = TrainSession.Resume(_rig["stopped"], backend);
            new TrainLoop(session).Run();
        }

        _rig.AssertSame("stopped", "straight", 12);
        TrainState state = TrainState.Load(_rig.Checkpoint("stopped", 12));
        Assert.That(state with { Seconds = 0, ElapsedSeconds = 0 }, Is.EqualTo(TrainState.Load(_rig.Checkpoint("straight", 12)) with { Seconds = 0, ElapsedSeconds = 0 }));
        Assert.That((state.LossScale, state.GoodSteps), Is.EqualTo(precision == "fp16" ? (LossScaling.Initial, 12) : (1.0, 0)));
        // What was trained in 16 bits is a model like any other.
        using var cpu = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(_rig["stopped"], cpu);
        Transformer model = trained.Model;
        Assert.That(model.Store.Type, Is.EqualTo(DType.Float32));
    }

    [Test]
    public void AnOlderCheckpointHasNoLossScale()
    {
        _rig.Train("run");
        _rig.MakeOlder("run", 12);
        string path = _rig.Checkpoint("run", 12, TrainState.FileName);
        JsonObject json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.That(json.Remove("lossScale") && json.Remove("goodSteps"));
        File.WriteAllText(path, json.ToJsonString());
        TrainState state = TrainState.Load(_rig.Checkpoint("run", 12));
        Assert.That((state.LossScale, state.GoodSteps, state.Step), Is.EqualTo((1.0, 0, 12)));
        json["lossScale"] = 0;
        File.WriteAllText(path, json.ToJsonString());
        Assert.That(() => TrainState.Load(_rig.Checkpoint("run", 12)), Throws.InstanceOf<UserException>().With.Message.Contains("lossScale is 0"));
    }

    [Test]
    public void AStepThatOverflowsIsSkippedAndHalvesTheScale()
    {
        using var backend = new HalfBackend();
        using var session = TrainSession.Open(_rig.Config("train.precision=fp16"), backend, _rig["run"]);
        Trainer trainer = session.Trainer;
        Assert.That(trainer.LossScale, Is.EqualTo((LossScaling.Initial, 0)));
        trainer.LossScale = (LossScaling.Most, 0);
        TrainSummary summary = new TrainLoop(session).Run();

        Assert.That(summary.End, Is.EqualTo(TrainEnd.Finished));
        string[] steps = [.. _rig.Metrics("run").Where(line => !line.Contains("validation", StringComparison.Ordinal))];
        Assert.That(steps, Has.Length.EqualTo(12));
        int skipped = steps.Count(line => line.Contains("skipped=true", StringComparison.Ordinal));
        Assert.That(skipped, Is.InRange(1, 10));
        int good = steps.Reverse().TakeWhile(line => line.Contains("loss=", StringComparison.Ordinal)).Count();
        Assert.That(trainer.LossScale, Is.EqualTo((LossScaling.Most / Math.Pow(2, skipped), (long)good)));
        Assert.That(trainer.State.GetInteger(StepSlot.Skipped), Is.EqualTo(skipped));
        Assert.That(double.IsFinite(summary.TrainLoss));
    }

    [Test]
    public void ASkippedStepChangesNothing()
    {
        using var backend = new HalfBackend();
        using var model = new Transformer(s_model, backend);
        using var trainer = new Trainer(model, Config(PrecisionKind.Float16), new RandomTokens(50, 1));
        trainer.Step(0);
        float[] before = Values(model.Store);
        trainer.LossScale = (1e30, 5);
        StepResult result = trainer.Step(1);
        Assert.That((result.IsFinite, trainer.LossScale), Is.EqualTo((false, (5e29, 0L))));
        Assert.That(Values(model.Store), Is.EqualTo(before));
    }

    [Test]
    public void TheGradientNormIsThatOfTheLoss()
    {
        double[] norms = [.. new[] { PrecisionKind.Float32, PrecisionKind.BFloat16, PrecisionKind.Float16 }.Select(precision =>
        {
            using var backend = new HalfBackend();
            using var model = new Transformer(s_model, backend);
            using var trainer = new Trainer(model, Config(precision), new RandomTokens(50, 1));
            StepResult result = trainer.Step(0);
            Assert.That(trainer.Plan.Tape.Arithmetic.Rounding, Is.EqualTo(precision == PrecisionKind.Float32 ? OperandRounding.None : OperandRounding.TensorFloat32));
            return result.GradientNorm;
        })];
        Assert.That(norms[1..], Is.All.EqualTo(norms[0]).Within(0.02 * norms[0]));
    }

    [Test]
    public void FiftySkippedStepsInARowEndTraining()
    {
        using var backend = new HalfBackend();
        using var session = TrainSession.Open(_rig.Config("train.precision=fp16", "train.steps=100", "train.evaluateEvery=100"), backend, _rig["run"]);
        Parameter parameter = session.Model.Store["model.layers.1.mlp.gate_proj.weight"];
        backend.Fill(session.Model.Store.Values(parameter), double.NaN);
        session.Model.Store.Changed();
        UserException fault = Assert.Throws<DivergedException>(() => new TrainLoop(session).Run())!;
        Assert.That(fault.Message, Does.StartWith("step 50: blocks.1.mlp.").And.Contain("49 steps before it were skipped").And.Contain("--precision bf16"));
        Assert.That(session.Trainer.LossScale.Scale, Is.EqualTo(LossScaling.Least));
    }

    [TestCase(PrecisionKind.BFloat16)]
    [TestCase(PrecisionKind.Float16)]
    public void TheShadowFollowsTheValues(PrecisionKind precision)
    {
        using var backend = new HalfBackend();
        using var model = new Transformer(s_model, backend);
        using var trainer = new Trainer(model, Config(precision), new RandomTokens(50, 1));
        AssertShadow(model.Store, precision);
        trainer.Step(0);
        float[] before = Values(model.Store);
        AssertShadow(model.Store, precision);
        trainer.Step(1);
        Assert.That(Values(model.Store), Is.Not.EqualTo(before));
        AssertShadow(model.Store, precision);
        Assert.That(() => model.Store.Shadow(precision == PrecisionKind.Float16 ? DType.BFloat16 : DType.Float16), Throws.InvalidOperationException.With.Message.Contains("expected one type"));
    }

    [Test]
    public void WhatIsPlannedIsWhatIsAllocated([Values(PrecisionKind.BFloat16, PrecisionKind.Float16)] PrecisionKind precision)
    {
        RunConfig config = new RunConfig { Model = s_model, Train = new TrainConfig { Batch = 3, Accumulate = 2 } }.Resolve();
        RunConfig half = config with { Train = config.Train with { Precision = precision } };
        using var backend = new HalfBackend();
        using var model = new Transformer(s_model, backend);
        using var trainer = new Trainer(model, half.Train, new RandomTokens(50, 1));
        MemoryPlan plan = MemoryPlan.Of(half, backend), single = MemoryPlan.Of(config, backend);
        Assert.That(plan.PeakBytes, Is.EqualTo(trainer.PeakBytes));
        Assert.That(plan.ParameterBytes + plan.GradientBytes + plan.OptimizerBytes + plan.ArenaBytes + plan.InputBytes, Is.EqualTo(plan.PeakBytes));
        Assert.That(plan.ArenaBytes, Is.LessThan(0.7 * single.ArenaBytes));
        Assert.That(plan.ParameterBytes, Is.EqualTo(single.ParameterBytes * 3 / 2));
        // The CPU has no such types: it rounds to one of them in products only, and what a device that has the other takes is known all the same.
        using var cpu = new CpuBackend(1);
        Assert.That(MemoryPlan.Of(half, cpu).ArenaBytes / (double)MemoryPlan.Of(config, cpu).ArenaBytes, precision == PrecisionKind.BFloat16 ? Is.EqualTo(1) : Is.LessThan(0.7));
    }

    [TestCase("tf32")]
    [TestCase("fp16")]
    public void TheCpuRefuses(string precision)
    {
        using var backend = new CpuBackend(1);
        ConfigException fault = Assert.Throws<ConfigException>(() => TrainSession.Open(_rig.Config($"train.precision={precision}"), backend, _rig["run"]))!;
        Assert.That((fault.ExitCode, fault.Message), Is.EqualTo((2, $"train.precision: {precision} cannot be computed on {backend.Name}; use --precision fp32 or bf16, or a GPU that can (--device cuda)")));
        Assert.That(Directory.Exists(_rig["run"]), Is.False);
    }

    private TrainSummary Train(string folder, params string[] settings)
    {
        using var backend = new HalfBackend();
        using var session = TrainSession.Open(_rig.Config(settings), backend, _rig[folder]);
        return new TrainLoop(session).Run();
    }

    private static TrainConfig Config(PrecisionKind precision) => new TrainConfig { Precision = precision, Batch = 2, Steps = 100, Warmup = 0 }.Resolve("nano");

    private static float[] Values(ParameterStore store)
    {
        var values = new float[store.Elements];
        store.Backend.Read(store.Values(new ElementRange(0, store.Elements)), values);
        return values;
    }

    private static void AssertShadow(ParameterStore store, PrecisionKind precision)
    {
        DType type = precision.Activations();
        Assert.That(store.ShadowType, Is.EqualTo(type));
        foreach (Parameter parameter in store.Parameters)
        {
            Assert.That(Host.Read(store.Backend, store.Values(parameter, type)), Is.EqualTo(Host.Rounded(Host.Read(store, parameter), type)), parameter.Name);
        }
    }
}
