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

    [Test]
    public void OnlyWhatIsLeftOfARunIsCounted()
    {
        using var folder = new TemporaryFolder();
        using var backend = new CpuBackend(1);
        var estimator = new RunEstimator(backend);
        RunConfig config = Config("train.steps=50");
        RunEstimate whole = estimator.LeftOf(config, folder["none"]);
        Assert.That((whole, whole.IsOver), Is.EqualTo((estimator.Of(config), false)));
        Directory.CreateDirectory(folder["begun/checkpoints/step-000040"]);
        RunEstimate begun = estimator.LeftOf(config, folder["begun"]);
        Assert.That((begun.Steps, begun.Tokens, begun.Seconds), Is.EqualTo((10L, whole.Tokens / 5, whole.Seconds / 5)).Within(1e-9));
        FakeRuns.Write(folder["over"], TrainEnd.Finished, 1);
        FakeRuns.Write(folder["stopped"], TrainEnd.Interrupted, 1);
        Assert.That(new[] { "over", "stopped" }.Select(name => estimator.LeftOf(config, folder[name])).Select(left => (left.IsOver, left.Tokens)), Is.EqualTo(new[] { (true, 0), (false, whole.Tokens) }));
    }

    // Rows of 8 places, five evaluations; a run of 50 steps with 3 rows each is worth up to 112 rows at its end, and a batch of 64.
    [TestCase(1600, 4 * 8 * 5, "train.evaluationWindows=4")]
    [TestCase(801, (4 * 8 * 5) + 808, "train.evaluationWindows=4")]
    [TestCase(1600, 200 * 8 * 5, "train.evaluationWindows=0")]
    [TestCase(24, 3 * 8 * 5, "train.evaluationWindows=4")]
    [TestCase(0, 0, "train.evaluationWindows=4")]
    [TestCase(null, 4 * 8 * 5, "train.evaluationWindows=4")]
    [TestCase(1600, (4 * 8 * 5) + (3 * 512), "train.evaluationWindows=4", "train.detailedEvaluation=true")]
    [TestCase(1600, (4 * 8 * 5) + 512, "train.evaluationWindows=4", "train.detailedEvaluation=true", "model.position=learned")]
    [TestCase(200, (4 * 8 * 5) + 200 + (3 * 200), "train.evaluationWindows=4", "train.detailedEvaluation=true")]
    public void EvaluationsAreCounted(int? held, double tokens, params string[] settings)
        => Assert.That(EvaluatedTokens.Of(Config(["train.steps=50", "train.evaluateEvery=10", .. settings]).WithVocab(256), held, 50), Is.EqualTo(tokens));

    private static RunConfig Config(params string[] more)
        => Configs.Build(["tokenizer=byte", "model.layers=1", "model.width=16", "model.heads=2", "model.context=8", "train.batch=3", "geometry.enabled=false", .. more]).Resolve();
}
