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
        long[][] taken = Simulate(schedule, 50_000, passSeconds: 0.02, [0.001, 0.05, 2]);
        double elapsed = 50_000 * Step;
        // The cheap one with every pass, for half of the budget: 0.021 / (0.01 · 0.1) = 21 steps; each costly one for a quarter: 100 and 4,000 steps.
        Assert.That(taken[0], Is.EqualTo(Multiples(32, 50_000)));
        Assert.That(taken[1], Is.EqualTo(Multiples(128, 50_000)));
        Assert.That(taken[2], Is.EqualTo(Multiples(4096, 50_000)));
        Assert.That(schedule.Spent, Is.InRange(0.5 * Budget * elapsed, Budget * elapsed));
    }

    [Test]
    public void WithoutCostlyMeasuresAllOfItGoesToPasses()
    {
        var schedule = new MeasureSchedule(Budget, [0.001, 0.001]) { PassCost = 0.02 };
        long[][] taken = Simulate(schedule, 10_000, passSeconds: 0.02, [0.001, 0.001]);
        // 0.022 / (0.02 · 0.1) = 11 steps.
        Assert.That(taken[0], Is.EqualTo(Multiples(16, 10_000)));
        Assert.That(taken[1], Is.EqualTo(taken[0]));
    }

    [Test]
    public void AGuessThatWasTooLowIsMadeUpFor()
    {
        var schedule = new MeasureSchedule(Budget, [0.001]) { PassCost = 0.001 };
        long[] taken = Simulate(schedule, 20_000, passSeconds: 0.5, [1.5])[0];
        // 1.5 / (0.01 · 0.1) = 1,500 steps after it was taken early.
        Assert.That(taken[0], Is.LessThan(20));
        Assert.That(taken[1..], Is.EqualTo(Multiples(2048, 20_000)[1..]), "at 2,048 its share has come up for the first time only");
        Assert.That(schedule.Spent, Is.InRange(0.4 * Budget * 20_000 * Step, Budget * 20_000 * Step));
    }

    /// <summary>What can be afforded differs from machine to machine and from variant to variant; the steps that a slower one measures at are among the faster one's.</summary>
    [Test]
    public void RunsOfDifferentSpeedShareSteps()
    {
        long[][] runs =
        [
            .. new[] { 1.0, 1.37, 3.1, 12 }.Select(slow =>
            {
                double[] seconds = [0.01 * slow, 0.4 * slow];
                return Simulate(new MeasureSchedule(Budget, seconds) { PassCost = 0.1 * slow }, 30_000, 0.1 * slow, seconds);
            }).SelectMany(taken => taken),
        ];
        for (int i = 2; i < runs.Length; i++)
        {
            Assert.That(runs[i], Is.SubsetOf(runs[i - 2]).And.Length.GreaterThan(2), $"{i}");
        }
    }

    [Test]
    public void WhatWaitsForCheckpointsIsTakenThereWhereItsShareHasComeUp()
    {
        double[] seconds = [0.001, 0.5];
        var schedule = new MeasureSchedule(Budget, seconds, [false, true]) { PassCost = 0.02 };
        List<long>[] taken = [[], []];
        for (int step = 1; step <= 5000; step++)
        {
            IReadOnlyList<int> due = schedule.Due(step, Step, step * Step, isCheckpoint: step % 300 == 0);
            foreach (int measure in due)
            {
                schedule.Took(measure, seconds[measure], isWhole: true);
                taken[measure].Add(step);
            }

            if (due.Count > 0)
            {
                schedule.Passed(0.02);
            }
        }

        // 0.5 / (0.01 · 0.1) = 500 steps: every other checkpoint, and the one at which the share is whole. Cheap ones are taken with the pass.
        Assert.That(taken[1], Is.EqualTo(new[] { 600, 1200, 1500, 2100, 2700, 3000, 3600, 4200, 4500 }));
        Assert.That(taken[0], Is.SupersetOf(Multiples(32, 5000).Where(step => step % 300 > 31)).And.SupersetOf(taken[1]));
        Assert.That((schedule.Passes, schedule.SpentOn(1)), Is.EqualTo((taken[0].Count, 9 * 0.5)));
    }

    /// <summary>A step that happens to take long moves nothing: it is left out or taken, never shifted.</summary>
    [Test]
    public void NoiseMovesNoMeasurement()
    {
        var random = new Random(5);
        var schedule = new MeasureSchedule(Budget, [0.001, 0.3]) { PassCost = 0.02 };
        double elapsed = 0;
        for (int step = 1; step <= 20_000; step++)
        {
            elapsed += Step * (0.5 + random.NextDouble());
            IReadOnlyList<int> due = schedule.Due(step, Step / 2, elapsed);
            foreach (int measure in due)
            {
                Assert.That(step % (measure == 0 ? 32 : 512), Is.Zero);
                schedule.Took(measure, (measure == 0 ? 0.001 : 0.3) * (0.9 + (0.2 * random.NextDouble())), isWhole: true);
            }

            if (due.Count > 0)
            {
                schedule.Passed(0.02 * (0.9 + (0.2 * random.NextDouble())));
            }
        }
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

    private static long[] Multiples(long of, long to) => [.. Enumerable.Range(1, (int)(to / of)).Select(i => i * of)];

    // The steps at which each measure was taken.
    private static long[][] Simulate(MeasureSchedule schedule, int steps, double passSeconds, double[] seconds)
    {
        List<long>[] taken = [.. seconds.Select(_ => new List<long>())];
        for (int step = 1; step <= steps; step++)
        {
            IReadOnlyList<int> due = schedule.Due(step, Step, step * Step);
            foreach (int measure in due)
            {
                schedule.Took(measure, seconds[measure], isWhole: true);
                taken[measure].Add(step);
            }

            if (due.Count > 0)
            {
                schedule.Passed(passSeconds);
            }

            Assert.That(schedule.Spent, Is.LessThanOrEqualTo((Budget * step * Step) + seconds.Max() + passSeconds), $"step {step}");
        }

        return [.. taken.Select(list => list.ToArray())];
    }
}
