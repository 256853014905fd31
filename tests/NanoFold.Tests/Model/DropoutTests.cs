using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

public class DropoutTests : EngineTests
{
    private static ModelConfig Config => ModelVariants.Base with { Dropout = 0.2, FeedForward = MoeConfig.Tiny };

    [Test]
    public void RecomputationThreadsAndTapsDrawTheSame()
    {
        using var model = new TinyModel(Config, Backend());
        (double loss, double[] gradients) = model.Train();
        (double recomputedLoss, double[] recomputed) = model.Train(recompute: true);
        (double tappedLoss, double[] tapped) = model.Train(new TapSet([new Collector("*")]));
        using var threaded = new TinyModel(Config, Backend(threads: 3));
        (double threadedLoss, double[] threads) = threaded.Train();

        Assert.That((double[])[recomputedLoss, tappedLoss, threadedLoss], Is.All.EqualTo(loss));
        Numbers.AssertSameBits(recomputed, gradients, "recomputed");
        Numbers.AssertSameBits(tapped, gradients, "tapped");
        Numbers.AssertSameBits(threads, gradients, "threads");
    }

    [Test]
    public void EachStepAndMicroBatchDrawsAnew()
    {
        Place[] states = [new(1, 0), new(1, 1), new(2, 0), new(1, 0)];
        var losses = new List<double>();
        using var model = new TinyModel(Config, Backend());
        var plan = new Plan(model.TrainingTape());
        foreach (Place state in states)
        {
            model.State.Set(StepSlot.Step, (long)state.Step);
            model.State.Set(StepSlot.MicroBatch, (long)state.MicroBatch);
            losses.Add(model.Train(plan).Loss);
        }

        Assert.That(losses[..3], Is.Unique);
        Assert.That(losses[3], Is.EqualTo(losses[0]));
    }

    [Test]
    public void GradientsPassTheMask()
    {
        using var model = new TinyModel(Config, Backend(), DType.Float64);
        using var check = new GradCheck(model.Store, model.RecordLoss);
        Assert.That(check.Worst().Relative, Is.LessThan(1e-6), check.Worst().ToString());
    }

    [Test]
    public void TheEmbeddingAndEachSubBlockDropOutOnce()
    {
        using var model = new TinyModel(Config, Backend());
        string[] paths = [.. model.TrainingTape().Nodes.Where(node => node.Op is DropoutOp).Select(node => node.Path)];
        Assert.That(paths, Is.EqualTo(new[] { "", "blocks.0", "blocks.0", "blocks.1", "blocks.1" }));
        using var none = new TinyModel(Config with { Mixer = NoneConfig.Tiny }, Backend());
        Assert.That(none.TrainingTape().Nodes.Count(node => node.Op is DropoutOp), Is.EqualTo(3));
    }

    [Test]
    public void OnlyTrainingDrops()
    {
        using var model = new TinyModel(Config, Backend());
        using var without = new TinyModel(Config with { Dropout = 0 }, Backend());
        Numbers.AssertSameBits(model.Logits(model.Tokens), without.Logits(model.Tokens), "logits");
    }

    private readonly record struct Place(int Step, int MicroBatch);
}
