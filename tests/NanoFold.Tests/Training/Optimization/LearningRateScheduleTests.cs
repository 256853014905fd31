using NanoFold.Engine.Training;

namespace NanoFold.Tests.Training.Optimization;

public class LearningRateScheduleTests
{
    private const double Tolerance = 1e-12;

    [TestCase(ScheduleKind.Cosine, 0, 0.1)]
    [TestCase(ScheduleKind.Cosine, 4, 0.5)]
    [TestCase(ScheduleKind.Cosine, 9, 1.0)]
    [TestCase(ScheduleKind.Cosine, 10, 1.0)]
    [TestCase(ScheduleKind.Cosine, 55, 0.6)] // half way down to 0.2
    [TestCase(ScheduleKind.Cosine, 40, 0.8)] // a third of the way: 0.2 + 0.8 · ¾
    [TestCase(ScheduleKind.Cosine, 100, 0.2)]
    [TestCase(ScheduleKind.Cosine, 1000, 0.2)]
    [TestCase(ScheduleKind.Linear, 0, 0.1)]
    [TestCase(ScheduleKind.Linear, 10, 1.0)]
    [TestCase(ScheduleKind.Linear, 55, 0.6)]
    [TestCase(ScheduleKind.Linear, 28, 0.84)]
    [TestCase(ScheduleKind.Linear, 100, 0.2)]
    [TestCase(ScheduleKind.Constant, 3, 0.4)]
    [TestCase(ScheduleKind.Constant, 10, 1.0)]
    [TestCase(ScheduleKind.Constant, 99, 1.0)]
    [TestCase(ScheduleKind.InverseSqrt, 4, 0.5)]
    [TestCase(ScheduleKind.InverseSqrt, 40, 0.5)]
    [TestCase(ScheduleKind.Wsd, 9, 1.0)]
    [TestCase(ScheduleKind.Wsd, 75, 1.0)]
    [TestCase(ScheduleKind.Wsd, 80, 0.84)] // a fifth of the tail of 25 steps
    [TestCase(ScheduleKind.Wsd, 100, 0.2)]
    public void IsWhatItsFormulaSays(ScheduleKind kind, long step, double factor)
    {
        var schedule = new LearningRateSchedule(kind, steps: 100, warmup: 10, final: 0.2, decayFraction: 0.25);

        Assert.That(schedule.At(step), Is.EqualTo(factor).Within(Tolerance));
    }

    [TestCase(DecayShape.Linear, 80, 0.84)]
    [TestCase(DecayShape.Cosine, 90, 0.2 + (0.8 * 0.5 * (1 - 0.30901699437494745)))] // cos(0.6 π)
    [TestCase(DecayShape.Sqrt, 79, 0.68)] // 1 - √0.16 of the way
    [TestCase(DecayShape.Sqrt, 75, 1)]
    [TestCase(DecayShape.Cosine, 100, 0.2)]
    [TestCase(DecayShape.Sqrt, 100, 0.2)]
    public void ATailHasItsShape(DecayShape shape, long step, double factor)
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Wsd, steps: 100, warmup: 10, final: 0.2, decayFraction: 0.25, shape);

        Assert.That(schedule.At(step), Is.EqualTo(factor).Within(Tolerance));
    }

    [TestCase(1, 0)]
    [TestCase(1, 1)]
    [TestCase(7, 7)]
    public void IsSoundAtItsEnds(int steps, int warmup)
    {
        foreach (ScheduleKind kind in Enum.GetValues<ScheduleKind>())
        {
            var schedule = new LearningRateSchedule(kind, steps, warmup, final: 0.1, decayFraction: 0.2);
            Assert.That(Enumerable.Range(0, steps + 2).Select(step => schedule.At(step)), Has.All.InRange(0.1 - Tolerance, 1.0), $"{kind}");
        }
    }

    [Test]
    public void AShorterPlanHasNoLongerWarmUp()
    {
        TrainConfig config = new TrainConfig { Steps = 100, Warmup = 50, Schedule = ScheduleKind.Linear }.Resolve("nano");

        Assert.That(LearningRateSchedule.From(config, 20).At(19), Is.EqualTo(1).Within(Tolerance));
        Assert.That(LearningRateSchedule.From(config, 100).At(19), Is.EqualTo(0.4).Within(Tolerance));
    }

    [TestCase(ScheduleKind.Linear, 10)]
    [TestCase(ScheduleKind.Cosine, 4)]
    [TestCase(ScheduleKind.Wsd, 75)]
    [TestCase(ScheduleKind.InverseSqrt, 10)]
    [TestCase(ScheduleKind.Constant, 100)]
    public void UntilItDecaysAChangedPlanIsThatOfSoManySteps(ScheduleKind kind, int step)
    {
        LearningRateSchedule changed = Planned(kind, 100).Fit(Config(kind, 300), step), expected = Planned(kind, 300);

        Assert.That(changed.Steps, Is.EqualTo(300));
        Assert.That(Enumerable.Range(step, 300 - step).Select(i => changed.At(i)), Is.EqualTo(Enumerable.Range(step, 300 - step).Select(i => expected.At(i))));
    }

    [TestCase(ScheduleKind.Linear, 40, 60)]
    [TestCase(ScheduleKind.Linear, 40, 200)]
    [TestCase(ScheduleKind.Cosine, 40, 60)]
    [TestCase(ScheduleKind.Cosine, 40, 200)]
    [TestCase(ScheduleKind.Wsd, 90, 93)]
    [TestCase(ScheduleKind.Wsd, 90, 150)]
    public void WhatIsLeftOfADecayIsSpreadOverWhatIsLeftOfTheSteps(ScheduleKind kind, int step, int steps)
    {
        LearningRateSchedule before = Planned(kind, 100), changed = before.Fit(Config(kind, steps), step);

        Assert.That(changed.At(step), Is.EqualTo(before.At(step)).Within(Tolerance));
        Assert.That(changed.At(step + ((steps - step) / 2)), Is.EqualTo(before.At(step + ((100 - step) / 2))).Within(0.06));
        Assert.That(changed.At(steps), Is.EqualTo(0.2).Within(Tolerance));
        Assert.That(Enumerable.Range(step, steps - step).Select(i => changed.At(i)), Is.Ordered.Descending);

        // Changed again, and back: as if nothing had been.
        LearningRateSchedule twice = changed.Fit(Config(kind, 500), step).Fit(Config(kind, 100), step);
        Assert.That(Enumerable.Range(step, 100 - step).Max(i => Math.Abs(twice.At(i) - before.At(i))), Is.LessThan(Tolerance));
    }

    [TestCase(50)]
    [TestCase(900)]
    public void AnInverseRootGoesOnWhateverIsPlanned(int steps)
    {
        LearningRateSchedule before = Planned(ScheduleKind.InverseSqrt, 100), changed = before.Fit(Config(ScheduleKind.InverseSqrt, steps), 11).Fit(Config(ScheduleKind.InverseSqrt, 2 * steps), 20);

        Assert.That(changed.Steps, Is.EqualTo(2 * steps));
        Assert.That(Enumerable.Range(20, steps).Select(i => changed.At(i)), Is.EqualTo(Enumerable.Range(20, steps).Select(i => before.At(i))));
    }

    private static TrainConfig Config(ScheduleKind kind, int steps)
        => new() { Schedule = kind, Steps = steps, Warmup = steps / 10, FinalLearningRate = 0.2, DecayFraction = 0.25 };

    private static LearningRateSchedule Planned(ScheduleKind kind, int steps) => LearningRateSchedule.From(Config(kind, steps), steps);
}
