using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Runs;

/// <summary>How a time becomes steps, played through on a clock of its own.</summary>
public class TimeBudgetTests
{
    private const double AtEnd = 5;

    /// <summary>Seconds of a step, by the seconds that have passed.</summary>
    private static readonly Dictionary<string, Func<double, double>> s_machines = new()
    {
        ["steady"] = _ => 0.5,
        ["fast"] = _ => 0.01,
        ["first steps compile"] = t => t < 20 ? 2 - (t / 12) : 0.25,
        ["slowed by other work"] = t => t is > 200 and < 500 ? 1.5 : 0.5,
        ["slower and slower"] = t => 0.2 + (t / 400),
        ["slowed shortly before the end"] = t => t > 640 ? 1.2 : 0.3,
        ["stalled once"] = t => t is > 300 and < 301 ? 20 : 0.1,
        ["others now and then"] = t => (int)t % 7 == 0 ? 1 : 0.1,
    };

    [TestCaseSource(nameof(Machines))]
    public void TheRunEndsAsPlannedWithinItsTime(string machine)
    {
        Played run = Play(720, s_machines[machine], new TrainConfig { Minutes = 12 });

        Assert.That(run.Seconds, Is.InRange(0.85 * 720, 720), machine);
        // Decayed: the last step has what the last step of a plan has, not more than one in twenty.
        Assert.That(run.Rates[^1], Is.LessThan(0.05), machine);
        Assert.That(run.Rates.Max(), Is.EqualTo(1).Within(0.2), machine);
        Assert.That(run.Evaluations, Is.InRange(5, 40), machine);
    }

    [Test]
    public void OnASteadyMachineThePlanIsThatOfTheStepsThatFit()
    {
        Played run = Play(720, s_machines["steady"], new TrainConfig { Minutes = 12 });

        // 0.5 s a step, nine evaluations of 2 s, and 13.5 s at the end.
        Assert.That(run.Rates, Has.Count.InRange(1300, 1380));
        Assert.That(run.Plans, Has.Count.InRange(1, 6));
        TrainConfig same = new TrainConfig { Steps = run.Rates.Count }.Resolve("small");
        LearningRateSchedule expected = LearningRateSchedule.From(same, same.Steps);
        Assert.That(same.Warmup, Is.EqualTo(100));
        Assert.That(Enumerable.Range(100, run.Rates.Count - 100).Max(i => Math.Abs(run.Rates[i] - expected.At(i))), Is.LessThan(0.03));
    }

    [Test]
    public void TheWarmUpIsThatOfTheStepsThatFit()
    {
        // All of them would be warm-up where it is a tenth of as many steps as one likes.
        Played run = Play(60, _ => 0.2, new TrainConfig { Minutes = 1 });

        int peak = run.Rates.IndexOf(run.Rates.Max());
        Assert.That(run.Rates, Has.Count.InRange(150, 270));
        Assert.That(peak, Is.InRange(15, 40));
    }

    [Test]
    public void AWarmUpThatWasGivenForMoreStepsLeavesRoomForTheDecay()
    {
        Played run = Play(60, _ => 0.2, new TrainConfig { Minutes = 1, Warmup = 5000 });

        Assert.That(run.Rates.Max(), Is.GreaterThan(0.9));
        Assert.That(run.Rates[^1], Is.LessThan(0.05));
    }

    [Test]
    public void WhateverEndsFirstEnds()
    {
        Assert.That(Play(720, s_machines["steady"], new TrainConfig { Minutes = 12, Steps = 300 }).Rates, Has.Count.EqualTo(300));
        Assert.That(Play(720, s_machines["steady"], new TrainConfig { Minutes = 12, Steps = 300 }).Plans, Is.Empty);
        Assert.That(Play(720, s_machines["steady"], new TrainConfig { Minutes = 12, Steps = 5000 }).Rates, Has.Count.InRange(1300, 1380));
    }

    [Test]
    public void IntervalsThatWereGivenAreKept()
    {
        Played run = Play(720, s_machines["steady"], new TrainConfig { Minutes = 12, EvaluateEvery = 50 });

        Assert.That(run.Plans.Select(p => p.EvaluateEvery), Is.All.EqualTo(50));
        Assert.That(run.Seconds, Is.InRange(0.9 * 720, 720));
    }

    [TestCase(ScheduleKind.Wsd)]
    [TestCase(ScheduleKind.Cosine)]
    [TestCase(ScheduleKind.Linear)]
    public void EveryScheduleEndsDecayed(ScheduleKind kind)
    {
        Played run = Play(720, s_machines["slowed by other work"], new TrainConfig { Minutes = 12, Schedule = kind });

        Assert.That(run.Rates[^1], Is.LessThan(0.05));
        Assert.That(run.Seconds, Is.LessThan(720));
        // No jump but where a plan changed before the decay.
        double[] steps = [.. run.Rates.Zip(run.Rates.Skip(1), (a, b) => Math.Abs(b - a))];
        Assert.That(steps.Skip(200).Max(), Is.LessThan(0.08));
    }

    [Test]
    public void TheTimeLeftCountsEvaluations()
    {
        var costs = new RunCosts(stepTokens: 768, curveTokens: 7680, _ => 30720);
        Assert.That(costs.Left(0, 60, 6, 0), Is.Null);
        for (int i = 0; i < 6; i++)
        {
            costs.Stepped(i < 3 ? 9 : 0.1);
        }

        // A forward pass is a third of a step; nine evaluations are on the way and one is at the end.
        Assert.That(costs.Left(0, 60, 6, 0), Is.EqualTo(60 * 0.1 + 9 * (10 * 0.1 / 3) + 40 * 0.1 / 3).Within(1e-9));
        costs.Evaluated(0.5, 7680);
        Assert.That(costs.Left(6, 60, 6, 6), Is.EqualTo(54 * 0.1 + 8 * 0.5 + 2).Within(1e-9));
        costs.Passed(0.1);
        costs.Passed(0.3);
        Assert.That(costs.Left(59, 60, 6, 54), Is.EqualTo(0.1 + 0.1 + 2).Within(1e-9));
        Assert.That(costs.Left(60, 60, 6, 60), Is.Zero);
    }

    private static IEnumerable<string> Machines() => s_machines.Keys;

    /// <summary>As the loop does it: step, evaluation, fitting; then the last evaluation, measurement and checkpoint.</summary>
    private static Played Play(double seconds, Func<double, double> step, TrainConfig config, double evaluation = 2, double last = 8, double save = 0.5)
    {
        if (config.Steps == 2000)
        {
            config = config with { Steps = TrainConfig.Unbounded };
        }

        config = config.Resolve("small");
        var costs = new RunCosts(1000, (long)(evaluation * 1000), _ => (long)(last * 1000));
        var budget = new TimeBudget(seconds, AtEnd, config.Steps, config.EvaluateEvery);
        TrainConfig plan = config.Planned("small", config.Steps);
        LearningRateSchedule schedule = LearningRateSchedule.From(plan, plan.Steps);
        var played = new Played([], [], 0, 0);
        double now = 0;
        int evaluations = 0;
        for (long taken = 0, at = 0; taken < plan.Steps && budget.Left(now) > 0;)
        {
            double took = step(now);
            played.Rates.Add(schedule.At(taken++));
            costs.Stepped(took);
            now += took;
            bool evaluates = taken < plan.Steps && taken - at >= plan.EvaluateEvery;
            if (evaluates)
            {
                // Evaluations slow down like steps.
                double slower = took / step(0);
                now += evaluation * Math.Min(slower, 3);
                costs.Evaluated(evaluation * Math.Min(slower, 3), (long)(evaluation * 1000));
                evaluations++;
                at = taken;
            }

            costs.Passed(took);
            if (budget.Fit(now, taken, plan.Steps, costs.Left(taken, plan.Steps, plan.EvaluateEvery, at), costs, evaluates) is { } fitted)
            {
                plan = config.Planned("small", fitted.Steps, fitted.EvaluateEvery);
                schedule = schedule.Fit(plan, taken);
                played.Plans.Add(fitted);
            }

            if (evaluates)
            {
                now += save;
                budget.Saved(save);
            }
        }

        return played with { Seconds = now + costs.LastEvaluation(plan.Steps) + Math.Min(AtEnd, budget.LeftToMeasure(now)) + save, Evaluations = evaluations };
    }

    private sealed record Played(List<double> Rates, List<FittedPlan> Plans, double Seconds, int Evaluations);
}
