using NanoFold.Engine.Experiments;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Configuration;

namespace NanoFold.Tests.Experiments;

public class RunEstimatorTests
{
    [Test]
    public void ARunIsEstimatedByItsPlanAndAFewSteps()
    {
        RunConfig config = Config("train.steps=50", "train.accumulate=2");
        using var backend = new CpuBackend(1);
        var estimator = new RunEstimator(backend);
        RunEstimate estimate = estimator.Of(config);
        double tokens = 50 * 3 * 2 * 8;
        Assert.That((estimate.Steps, estimate.Tokens, estimate.Flops), Is.EqualTo((50L, tokens, tokens * CostModel.FlopsPerToken(config.WithVocab(256).Model))));
        Assert.That(estimate.ResidentBytes, Is.EqualTo(RunMemory.Of(config.WithVocab(256), backend).ResidentBytes));
        Assert.That(estimate.Seconds, Is.GreaterThan(tokens / estimate.TokensPerSecond).And.LessThan(60));
        RunEstimate other = estimator.Of(Config("train.steps=100", "train.accumulate=2", "train.seed=5", "train.learningRate=0.1"));
        Assert.That((other.Steps, other.TokensPerSecond), Is.EqualTo((100L, estimate.TokensPerSecond)), "seeds and rates are measured once");
        Assert.That(estimator.Of(Config("train.minutes=0.5", "train.steps=1000000000")).Seconds, Is.EqualTo(30), "the time ends it");
    }

    private static RunConfig Config(params string[] more)
        => Configs.Build(["tokenizer=byte", "model.layers=1", "model.width=16", "model.heads=2", "model.context=8", "train.batch=3", "geometry.enabled=false", .. more]).Resolve();
}
