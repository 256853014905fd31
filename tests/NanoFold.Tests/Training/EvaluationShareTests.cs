using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Training;

/// <summary>Short runs spend most of their time training.</summary>
public class EvaluationShareTests
{
    // Of nano, 60 steps: an evaluation every 6 steps, 12 windows of 64 tokens a step.
    [TestCase("train.steps=60", 64)]
    [TestCase("train.steps=60 train.batch=48", 128)]
    [TestCase("train.steps=60 train.batch=48 train.accumulate=2", 256)]
    [TestCase("train.steps=2000", 256)]
    [TestCase("train.steps=60 train.evaluateEvery=60", 256)]
    [TestCase("train.steps=60 train.evaluationWindows=7", 7)]
    [TestCase("train.steps=60 train.evaluationWindows=0", 0)]
    [TestCase("train.minutes=5", 256)]
    [TestCase("train.steps=600 preset=gpt2 train.batch=12", 256)]
    [TestCase("train.steps=60 preset=gpt2 train.batch=12 train.accumulate=1", 40)]
    public void AnEvaluationIsShortBesideTheStepsBeforeIt(string settings, int windows)
    {
        RunConfig config = settings.Split(' ').Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();

        Assert.That(config.Train.EvaluationWindows, Is.EqualTo(windows));
        Assert.That(config.Resolve().Train.EvaluationWindows, Is.EqualTo(windows));
    }

    [Test]
    public void WithAnAutomaticBatchItIsFoundWithTheBatch()
    {
        RunConfig config = new ConfigTree().Set("train.batch=auto").Set("train.steps=60").Build();

        Assert.That(config.Train.EvaluationWindows, Is.Null);
        Assert.That((config with { Train = config.Train with { Batch = 12 } }).Resolve().Train.EvaluationWindows, Is.EqualTo(64));
    }

    [TestCase(540, 60, true)]
    [TestCase(541, 60, false)]
    [TestCase(541, 61, true)]
    [TestCase(64, 1, true)] // one batch
    [TestCase(65, 1, false)]
    public void AllOfTheTextIsEvaluatedWhereThatIsShortBesideAllSteps(long windows, long steps, bool takes)
        => Assert.That(EvaluationShare.TakesAll(windows, new TrainConfig { Batch = 6, Accumulate = 2 }, 64, steps), Is.EqualTo(takes));
}
