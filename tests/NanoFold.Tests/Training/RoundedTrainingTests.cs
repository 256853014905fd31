using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training;

/// <summary>Training on the CPU with <c>train.precision=bf16</c>: activations in single precision, products of rounded operands.</summary>
[NonParallelizable]
public class RoundedTrainingTests
{
    private static readonly string[] s_settings =
    [
        "train.precision=bf16", "train.batch=8", "train.accumulate=2", "model.width=32", "model.heads=4", "model.hidden=48", "model.context=16", "model.initialization=scaled", "train.warmup=0",
    ];

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
        string[] settings = [.. s_settings, "train.steps=30", "train.evaluateEvery=30", $"model.feedForward={feedForward}", $"train.optimizer={optimizer}"];
        TrainSummary single = _rig.Train("fp32", [.. settings, "train.precision=fp32"]), rounded = _rig.Train("bf16", settings);
        Assert.That(rounded.Validation!.Value.Loss, Is.EqualTo(single.Validation!.Value.Loss).Within(0.03).And.Not.EqualTo(single.Validation!.Value.Loss));
        Assert.That(single.Validation!.Value.Loss, Is.LessThan(Math.Log(256) - 0.5));
    }

    [Test]
    public void AResumedRunOnOtherThreadsIsOneThatNeverStopped()
    {
        string[] settings = [.. s_settings, "model.dropout=0.1", "train.keepCheckpoints=9"];
        _rig.Train("straight", settings);
        _rig.Train("stopped", [.. settings, "train.stopAfter=7"]);
        _rig.Resume("stopped", threads: 3);
        _rig.AssertSame("stopped", "straight", 12);
    }

    [Test]
    public void FloatsGiveWhatAUnitGivesToRounding()
    {
        var config = new ModelConfig { Layers = 2, Width = 32, Heads = 4, Context = 16, Vocab = 50, Hidden = 48 };
        double[] norms = [.. new[] { IsaExtensions.Best, Isa.Vector256, Isa.Scalar }.Select(isa =>
        {
            using var backend = new CpuBackend(1, isa);
            Assert.That(backend.LacksBFloat16 is not null, Is.True.Or.EqualTo(isa != Isa.Vector512));
            using var model = new Transformer(config, backend);
            using var trainer = new Trainer(model, new TrainConfig { Precision = PrecisionKind.BFloat16, Batch = 4, Steps = 100, Warmup = 0 }.Resolve("nano"), new RandomTokens(50, 1));
            return trainer.Step(0).GradientNorm;
        })];
        Assert.That(norms[1..], Is.All.EqualTo(norms[0]).Within(1e-3 * norms[0]));
    }

    [Test]
    public void ARunWithoutAUnitSaysSo()
    {
        var notes = new List<string>();
        using var plain = new CpuBackend(1, Isa.Scalar);
        PrecisionCheck.Tell(PrecisionKind.Float32, plain, notes.Add);
        Assert.That(notes, Is.Empty);
        PrecisionCheck.Tell(PrecisionKind.BFloat16, plain, notes.Add);
        Assert.That(notes.Single(), Does.StartWith("bf16: operands of products are rounded and multiplied as floats, at no gain over fp32: "));
    }
}
