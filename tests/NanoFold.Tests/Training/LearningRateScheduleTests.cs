using NanoFold.Engine.Training;

namespace NanoFold.Tests.Training;

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
    [TestCase(ScheduleKind.Wsd, 9, 1.0)]
    [TestCase(ScheduleKind.Wsd, 75, 1.0)]
    [TestCase(ScheduleKind.Wsd, 80, 0.84)] // a fifth of the tail of 25 steps
    [TestCase(ScheduleKind.Wsd, 100, 0.2)]
    public void IsWhatItsFormulaSays(ScheduleKind kind, long step, double factor)
    {
        var schedule = new LearningRateSchedule(kind, steps: 100, warmup: 10, final: 0.2, decayFraction: 0.25);

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
}
