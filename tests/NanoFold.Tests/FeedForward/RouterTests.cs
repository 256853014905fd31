using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.FeedForward;

/// <summary>What a router learns from, and where its own losses are reported.</summary>
public class RouterTests : EngineTests
{
    [TestCase(1)]
    [TestCase(2)]
    public void TheLossAloneTeachesTheRouter(int active)
    {
        ModelConfig config = ModelVariants.Base with { FeedForward = MoeConfig.Tiny with { Active = active, BalanceLoss = 0, ZLoss = 0 } };
        using var model = new TinyModel(config, Backend(), DType.Float64);
        using var check = new GradCheck(model.Store, model.RecordLoss);
        foreach (Parameter router in model.Store.Parameters.Where(p => p.Name.EndsWith("mlp.gate.weight", StringComparison.Ordinal)))
        {
            Assert.That(check.Gradient(router).Max(Math.Abs), Is.GreaterThan(1e-4), router.Name);
            for (int element = 0; element < router.Layout.Count; element += 7)
            {
                GradientDifference difference = check.At(router, element);
                Assert.That(difference.Relative, Is.LessThan(1e-6), difference.ToString());
            }
        }
    }

    [TestCase(1, null, false)]
    [TestCase(2, null, true)]
    [TestCase(2, false, false)]
    public void WeightsAddUpToOneWhereSeveralExpertsAreActive(int active, bool? set, bool expected)
    {
        var resolved = (MoeConfig)(MoeConfig.Tiny with { Active = active, Renormalize = set }).Resolve(ModelVariants.Base);
        Assert.That(resolved.Renormalize, Is.EqualTo(expected));
        Assert.That(resolved.Resolve(ModelVariants.Base), Is.EqualTo(resolved));
    }

    [Test]
    public void AWeightThatCannotLearnIsRefused()
    {
        ConfigException fault = Assert.Throws<ConfigException>(() => new ConfigTree()
            .Set("model.feedForward=moe").Set("model.feedForward.active=1").Set("model.feedForward.renormalize=true").Build())!;
        Assert.That(fault.Problems.Single().Path, Is.EqualTo("model.feedForward.renormalize"));
        Assert.That(fault.Message, Does.Contain("model.feedForward.active = 1").And.Contain("use null or false"));
        // One expert is always chosen: there is nothing to learn.
        Assert.That(new MoeConfig { Experts = 1, Active = 1, Renormalize = true }.Validate(ModelVariants.Base, "moe"), Is.Empty);
    }

    [Test]
    public void TheLossIsNatsPerTokenWhateverRoutersAdd()
    {
        using var rig = new TrainRig();
        string[] moe = ["model.feedForward=moe", "model.feedForward.experts=4", "train.steps=2", "train.accumulate=2", "train.learningRate=0", "train.evaluateEvery=1"];
        (double Loss, double? Balance, double? Z, double Validation)[] runs = [.. new[] { "0", "10" }.Select(factor =>
        {
            TrainSummary summary = rig.Train($"balance {factor}", [.. moe, $"model.feedForward.balanceLoss={factor}", $"model.feedForward.zLoss={factor}"]);
            return (summary.TrainLoss, summary.Terms["balanceLoss"], summary.Terms["zLoss"], summary.Validation!.Value.Loss);
        })];

        Assert.That(runs[1].Loss, Is.EqualTo(runs[0].Loss));
        // Of a model that knows nothing: as in validation, ln 256.
        Assert.That(runs[1].Loss, Is.EqualTo(runs[1].Validation).Within(0.1));
        Assert.That((runs[0].Balance, runs[0].Z), Is.EqualTo(((double?)null, (double?)null)));
        // Two layers with little preference: 10 · 1 and 10 · ln(4)² each, and somewhat more.
        Assert.That(runs[1].Balance, Is.InRange(19.5, 23));
        Assert.That(runs[1].Z, Is.InRange(20 * Math.Log(4) * Math.Log(4), 60));
        Assert.That(rig.Metrics("balance 0")[0], Does.Not.Contain("balanceLoss").And.Not.Contain("zLoss"));
        Assert.That(rig.Metrics("balance 10")[0], Does.Match("^step=1 .*loss=5.* balanceLoss=2[0-9.]+ zLoss=[345][0-9.]+ gradientNorm="));
    }
}
