using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Tests.Configuration;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Steps, tokens, FLOPs and seconds: what comes first ends a run. A step of these runs has 3 · 8 = 24 tokens.</summary>
public class BudgetTests
{
    // Without the steps that the rig's settings have.
    private static readonly string[] s_open = ["data.validationFraction=0.25", "tokenizer=byte", "model.layers=2", "model.width=16", "model.heads=2", "model.hidden=24", "model.context=8", "train.batch=3", "geometry.enabled=false"];

    [TestCase("train.steps=12", 12, "train.steps", TestName = "Steps alone")]
    [TestCase("train.tokens=250", 10, "train.tokens", TestName = "Whole steps of tokens")]
    [TestCase("train.tokens=5", 1, "train.tokens", TestName = "At least one step")]
    [TestCase("train.tokens=250 train.steps=9", 9, "train.steps", TestName = "Steps come before tokens")]
    [TestCase("train.tokens=250 train.steps=11", 10, "train.tokens", TestName = "Tokens come before steps")]
    [TestCase("train.tokens=480 train.accumulate=2", 10, "train.tokens", TestName = "Micro-batches count")]
    [TestCase("train.minutes=1 train.tokens=250", 10, "train.tokens", TestName = "Tokens within a time")]
    [TestCase("train.minutes=1", TrainConfig.Unbounded, "train.steps", TestName = "Time alone")]
    public void TheLeastOfStepsTokensAndFlopsCounts(string settings, int steps, string key)
    {
        Budget budget = Budget.Of(Configs.Build([.. s_open, .. settings.Split(' ')]).WithVocab(256));
        Assert.That((budget.Steps, budget.Key, budget.Seconds), Is.EqualTo((steps, key, settings.Contains("minutes", StringComparison.Ordinal) ? (double?)60 : null)));
    }

    [Test]
    public void FlopsAreTokensTimesTheFlopsPerToken()
    {
        RunConfig config = Configs.Build([.. s_open, "train.flops=1e9"]).WithVocab(256);
        int steps = (int)(1e9 / (24.0 * CostModel.FlopsPerToken(config.Model)));
        Budget budget = Budget.Of(config);
        Assert.That((budget.Steps, budget.Key), Is.EqualTo((steps, "train.flops")));
        Assert.That(steps, Is.GreaterThan(10), "the case says something");
    }

    [Test]
    public void ARunOfTokensIsTheRunOfItsStepsAndGoesOnWithMoreTokens()
    {
        using var rig = new TrainRig();
        RunConfig Open(params string[] more) => Configs.Build([.. s_open, $"data.path={rig.TextPath}", "train.schedule=constant", "train.warmup=0", .. more]);
        TrainSummary steps = rig.Train("steps", Open("train.steps=6")), tokens = rig.Train("tokens", Open("train.tokens=150"));
        Assert.That((tokens.Steps, tokens.End), Is.EqualTo((steps.Steps, TrainEnd.Finished)));
        rig.AssertSame("tokens", "steps", 6);

        rig.Train("long", Open("train.tokens=240"));
        rig.Resume("tokens", Resumable.Take(RunConfig.Load(rig["tokens"]), Open("train.tokens=240")));
        rig.AssertSame("tokens", "long", 10, metrics: false);
        var fault = Assert.Throws<UserException>(() => rig.Resume("tokens", Resumable.Take(RunConfig.Load(rig["tokens"]), Open("train.tokens=240", "train.steps=50"))));
        Assert.That(fault!.Message, Is.EqualTo($"train.steps: {rig["tokens"]} ends by train.tokens after 10 steps; ask for more of that"));
        fault = Assert.Throws<UserException>(() => rig.Resume("tokens", Resumable.Take(RunConfig.Load(rig["tokens"]), Open("train.tokens=100"))));
        Assert.That(fault!.Message, Is.EqualTo($"train.tokens: {rig["tokens"]} has taken 10 steps already; ask for more"));
    }

    [Test]
    public void ALimitThatChangesNothingIsRefusedOnGoingOn()
    {
        using var rig = new TrainRig();
        rig.Train("run", Configs.Build([.. s_open, $"data.path={rig.TextPath}", "train.schedule=constant", "train.warmup=0", "train.steps=4"]));
        var fault = Assert.Throws<UserException>(() => rig.Resume("run", Resumable.Take(RunConfig.Load(rig["run"]), Configs.Build("train.steps=4", "train.tokens=100000"))));
        Assert.That(fault!.Message, Is.EqualTo($"train.tokens: {rig["run"]} ends by train.steps after 4 steps; ask for more of that"));
    }

    [TestCase("train.warmup=100", "train.warmup: 100 is more than train.steps = 10, which train.tokens allows")]
    [TestCase("train.schedule=wsd train.warmup=5 train.decayFraction=0.9", "train.decayFraction: 0.9 of 10 steps and 5 of warm-up are more than train.steps, which train.tokens allows")]
    public void AScheduleThatDoesNotFitTheTokensIsRefused(string settings, string problem)
    {
        using var rig = new TrainRig();
        var fault = Assert.Throws<ConfigException>(() => rig.Train("run", Configs.Build([.. s_open, $"data.path={rig.TextPath}", "train.tokens=240", .. settings.Split(' ')])));
        Assert.That(fault!.Problems.Single().ToString(), Is.EqualTo(problem));
        Assert.That(Directory.Exists(rig["run"]), Is.False, "nothing is left");
    }
}
