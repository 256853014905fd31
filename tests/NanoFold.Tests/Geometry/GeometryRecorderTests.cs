using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Geometry;

/// <summary>When the recorder measures: with a clock that only measures and steps move on.</summary>
public class GeometryRecorderTests
{
    private readonly Clock _clock = new();

    [Test]
    public void MeasuringTakesItsShareOfTheTimeFromTheBeginning()
    {
        using var rig = new Rig(_clock, 0.2, 5);
        for (int step = 1; step <= 1000; step++)
        {
            _clock.Move(1);
            rig.Recorder.Measure(step, 1, isLast: false);
            Assert.That(rig.Spent, Is.LessThanOrEqualTo((0.02 * _clock.Seconds) + 5), $"after step {step}");
        }

        // Guesses of untried measures are small here, so each is tried early; what it cost is then saved up for. Two layers each time.
        Assert.That(rig.Spent, Is.LessThanOrEqualTo(0.02 * _clock.Seconds));
        Assert.That(rig.Taken(0), Is.GreaterThan(rig.Taken(1)).And.GreaterThan(2));
    }

    [Test]
    public void TheLastMeasurementObeysABudgetOfItsOwn()
    {
        using var rig = new Rig(_clock, 0.2, 1.5);
        _clock.Move(2);
        rig.Recorder.Measure(2, 1, isLast: true);
        Assert.That((rig.Taken(0), rig.Taken(1)), Is.EqualTo((2, 2)));

        using var slow = new Rig(_clock, 0.2, 100);
        slow.Recorder.Measure(2, 1, isLast: true);
        Assert.That((slow.Taken(0), slow.Taken(1)), Is.EqualTo((1, 1)), "given up after the first layer");
        Assert.That(slow.Recorder.Latest, Has.Count.EqualTo(2));
    }

    [Test]
    public void WhatTheCheapestLeaveOfTheLastMeasurementIsForTheOthers()
    {
        // Reckoned to take 3 seconds each, of 5, and 4.5 seconds; two layers each.
        using var rig = new Rig(_clock, (0.5, 1.5e9), (0.5, 1.5e9), (0.5, 2.25e9));
        rig.Recorder.Measure(2, 1, isLast: true);
        Assert.That((rig.Taken(0), rig.Taken(1), rig.Taken(2)), Is.EqualTo((2, 2, 0)));
        Assert.That(rig.Recorder.NeverTaken, Is.EqualTo(new[] { "slow 2" }));
        Assert.That(rig.Recorder.Costs[0], Is.EqualTo(new MeasureCost(MeasureCost.Passes, 0, 2)));
    }

    [Test]
    public void TheLastMeasurementTakesNoLongerThanTheRunHasLeft()
    {
        using var rig = new Rig(_clock, 0.2, 1.5);
        _clock.Move(2);
        rig.Recorder.Measure(2, 1, isLast: true, most: 1.2);

        Assert.That((rig.Taken(0), rig.Taken(1)), Is.EqualTo((1, 1)), "given up after the first layer");
    }

    [Test]
    public void AskedToStopNothingIsMeasured()
    {
        using var rig = new Rig(_clock, 0.2, 1.5, every: 4);
        rig.Recorder.Measure(4, 1, isLast: false, stop: new CancellationToken(canceled: true));

        Assert.That((rig.Taken(0), rig.Taken(1), rig.Recorder.Latest.Count), Is.EqualTo((0, 0, 0)));
    }

    [Test]
    public void EveryMeansAllMeasuresEveryTime()
    {
        using var rig = new Rig(_clock, 3, 50, every: 4);
        for (int step = 1; step <= 12; step++)
        {
            rig.Recorder.Measure(step, 0.001, isLast: step == 12);
        }

        Assert.That((rig.Taken(0), rig.Taken(1)), Is.EqualTo((3 * 2, 3 * 2)));
        Assert.That(rig.Recorder.Latest.Select(m => m.Step), Is.All.EqualTo(12));
    }

    [Test]
    public void NothingIsMeasuredTwiceAtOneStep()
    {
        using var rig = new Rig(_clock, 0.1, 0.1, every: 2);
        rig.Recorder.Measure(2, 1, isLast: false);
        rig.Recorder.Measure(2, 1, isLast: true);
        Assert.That((rig.Taken(0), rig.Taken(1)), Is.EqualTo((2, 2)));
    }

    private sealed class Rig : IDisposable
    {
        private readonly CpuBackend _backend = new(1);
        private readonly HandMadeModel _model;
        private readonly Slow[] _measures;

        public Rig(Clock clock, double first, double second, int every = 0)
            : this(clock, every, (first, 1), (second, 1))
        {
        }

        public Rig(Clock clock, params (double Seconds, double Work)[] measures)
            : this(clock, 0, measures)
        {
        }

        private Rig(Clock clock, int every, params (double Seconds, double Work)[] measures)
        {
            _model = new HandMadeModel(_backend);
            _measures = [.. measures.Select((one, i) => new Slow(clock, one.Seconds, one.Work, i))];
            ProbeShape shape = ProbeShape.Of(12, 12, HandMadeModel.Time) with { Batch = HandMadeModel.Batch, Points = 12 };
            var probe = new GeometryProbe(_model.Model, new RandomTokens(_model.Model.Config.Vocab, 1), shape, _measures);
            probe.Read(_model.Tokens, _model.Documents);
            Recorder = new GeometryRecorder(probe, new GeometryConfig { Every = every }, 12, clock: clock);
        }

        public GeometryRecorder Recorder { get; }

        public double Spent => _measures.Sum(m => m.Taken * m.Seconds);

        public int Taken(int measure) => _measures[measure].Taken;

        public void Dispose()
        {
            Recorder.Dispose();
            _model.Dispose();
            _backend.Dispose();
        }
    }

    private sealed record Slow(Clock Clock, double Seconds, double Reckoned, int Number) : BlockMeasure
    {
        public int Taken { get; private set; }

        public override string Kind => $"slow {Number}";

        public override string Legend => "";

        public override double Work(in ProbeShape shape, int width) => Reckoned;

        public override void Take(BlockSample block, FigureWriter figures)
        {
            Taken++;
            Clock.Move(Seconds);
            figures.Add("seconds", Seconds, GeometryStatus.Ok, "", 1);
        }
    }

    private sealed class Clock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public double Seconds => (double)_ticks / TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Move(double seconds) => _ticks += (long)(seconds * TimeSpan.TicksPerSecond);
    }
}
