using NanoFold.Engine.Geometry;

namespace NanoFold.Tests.Geometry;

/// <summary>One budget, spent on measures of very different cost: in made-up seconds.</summary>
public class MeasureScheduleTests
{
    private const double Budget = 0.02, Step = 0.1;

    [Test]
    public void TheBudgetHoldsFromTheBeginningAndIsUsed()
    {
        var schedule = new MeasureSchedule(Budget, [0.001, 0.05, 2]) { PassCost = 0.02 };
        int[] taken = Simulate(schedule, 50_000, passSeconds: 0.02, [0.001, 0.05, 2]);
        double elapsed = 50_000 * Step;
        Assert.That(schedule.Spent, Is.InRange(0.5 * Budget * elapsed, Budget * elapsed));
        // The cheap one with every pass, for half of the budget; each costly one for a quarter.
        Assert.That(taken[0], Is.InRange(0.9 * Budget * elapsed / 2 / 0.021, Budget * elapsed / 2 / 0.021));
        Assert.That(taken[1], Is.InRange(0.9 * Budget * elapsed / 4 / 0.05, Budget * elapsed / 4 / 0.05));
        Assert.That(taken[2], Is.InRange(0.9 * Budget * elapsed / 4 / 2, Budget * elapsed / 4 / 2));
        Assert.That(schedule.Spent, Is.GreaterThan(0.9 * Budget * elapsed));
    }

    [Test]
    public void WithoutCostlyMeasuresAllOfItGoesToPasses()
    {
        var schedule = new MeasureSchedule(Budget, [0.001, 0.001]) { PassCost = 0.02 };
        int[] taken = Simulate(schedule, 10_000, passSeconds: 0.02, [0.001, 0.001]);
        Assert.That(taken[0], Is.EqualTo(taken[1]).And.InRange(0.95 * Budget * 10_000 * Step / 0.022, Budget * 10_000 * Step / 0.022));
    }

    [Test]
    public void AGuessThatWasTooLowIsMadeUpFor()
    {
        var schedule = new MeasureSchedule(Budget, [0.001]) { PassCost = 0.001 };
        Simulate(schedule, 20_000, passSeconds: 0.5, [1.5]);
        Assert.That(schedule.Spent, Is.InRange(0.5 * Budget * 20_000 * Step, (Budget * 20_000 * Step) + 2));
    }

    [Test]
    public void ACheckpointMayUseWhatOthersLeft()
    {
        var schedule = new MeasureSchedule(Budget, [1.0]) { PassCost = 0.1 };
        // Its half of the budget has not come up for it after 80 seconds, the whole has.
        Assert.That(schedule.Due(80, isCheckpoint: false), Is.Empty);
        Assert.That(schedule.Due(80, isCheckpoint: true), Is.EqualTo(new[] { 0 }));
        Assert.That(schedule.Due(50, isCheckpoint: true), Is.Empty);
    }

    [Test]
    public void TheLastMeasurementTakesTheCheapestThatFit()
    {
        var schedule = new MeasureSchedule(Budget, [3, 0.5, 4, 1]);
        Assert.That(schedule.Within(5), Is.EqualTo(new[] { 1, 3, 0 }));
        schedule.Passed(4);
        Assert.That(schedule.Within(5), Is.EqualTo(new[] { 1 }));
        schedule.Passed(6);
        Assert.That(schedule.Within(5), Is.Empty);
        schedule.Took(1, 0.1, isWhole: false);
        Assert.That(schedule.Cost(1), Is.EqualTo(0.5), "what was given up costs more than it took");
    }

    private static int[] Simulate(MeasureSchedule schedule, int steps, double passSeconds, double[] seconds)
    {
        var taken = new int[seconds.Length];
        for (int step = 1; step <= steps; step++)
        {
            IReadOnlyList<int> due = schedule.Due(step * Step, isCheckpoint: false);
            foreach (int measure in due)
            {
                schedule.Took(measure, seconds[measure], isWhole: true);
                taken[measure]++;
            }

            if (due.Count > 0)
            {
                schedule.Passed(passSeconds);
            }
        }

        return taken;
    }
}
