using NanoFold.Engine.Profiling;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Profiling;

public class CoreForecastTests
{
    [TestCase(1, 21)]
    [TestCase(2, 12)] // 1 + 2 + 3, then it helps with 6
    [TestCase(3, 9)]
    [TestCase(6, 6)]
    [TestCase(64, 6)]
    public void CoresBeginWithTheirShareAndThenHelp(int cores, double seconds)
        => Assert.That(new ItemTimes("a", true, false, [1, 2, 3, 4, 5, 6]).On(cores), Is.EqualTo(seconds));

    [Test]
    public void TimeIsSaidByWhereItIsLost()
    {
        var items = new StepItems([new ItemTimes("a", true, false, [1, 1, 1]), new ItemTimes("b", true, false, [2, 2]), new ItemTimes("b", false, false, [2, 3])], SerialSeconds: 3);
        CoreForecast two = CoreForecast.Of(items, 2, secondsPerRun: 0.1);

        Assert.That(items.Seconds, Is.EqualTo(15));
        Assert.That((two.SharedSeconds, two.UnevenSeconds, two.SerialSeconds, two.RunSeconds), Is.EqualTo((3.5, 0.5, 8d, 0.2)));
        Assert.That(two.Seconds, Is.EqualTo(12.2).Within(1e-12));
        Assert.That(CoreForecast.Of(items, 1, 0.1).Seconds, Is.EqualTo(15));
        Assert.That(CoreForecast.Lost(items, 2), Is.EqualTo(new[] { new LostTime("b", 2, 4, 9, 2.5), new LostTime("a", 1, 3, 3, 0.5) }));
    }

    [Test]
    public void AStepIsItsItemsAndWhatIsInNone()
    {
        RunConfig config = ProfilerTests.Config(ModelVariants.Base, "adamw");
        using var backend = new CpuBackend(1);
        StepItems items = StepItems.Measure(config, backend, steps: 3);

        Assert.That(items.SerialSeconds, Is.GreaterThanOrEqualTo(0));
        Assert.That(items.Runs, Is.Not.Empty);
        Assert.That(items.Runs.SelectMany(run => run.Seconds), Is.All.GreaterThanOrEqualTo(0));
        Assert.That(backend.Context.Workers.Items, Is.Null);
    }
}
