using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry;

/// <summary>
/// Measures a probe while a model trains, at multiples of powers of two as a share of the time allows (or every k steps), and writes a line for each measure and place to
/// <c>geometry.jsonl</c>. The measurement at the end has a budget of its own.
/// </summary>
public sealed class GeometryRecorder : IDisposable
{
    /// <summary>What the measurement at the end of a run may take in any case.</summary>
    public const double LastSeconds = 5;

    // Of a step with its backward pass, the forward pass is about a third.
    private const double ForwardShare = 1.0 / 3;

    // Until it is known what a measure takes.
    private const double MultiplyAddsPerSecond = 1e9;

    // The tier of what waits for checkpoints.
    private const int AtCheckpoints = 2;

    private readonly GeometryProbe _probe;
    private readonly GeometryConfig _config;
    private readonly double _passesPerStep;
    private readonly JsonLinesLog? _log;
    private readonly TimeProvider _clock;
    private readonly MeasureSchedule _schedule;
    private readonly Dictionary<(int Measure, FigurePlace Place), Measured> _latest = [];
    private readonly int[] _all;
    private readonly long[] _takenAt;
    private readonly int[] _times;
    private readonly long _started;
    private double _fastestStep = double.PositiveInfinity;
    private bool _hasPassed;

    /// <param name="probe">What is measured; disposed here.</param>
    /// <param name="config">How often.</param>
    /// <param name="tokensPerStep">Tokens of a training step: from its time follows what a pass of the probe is going to take.</param>
    /// <param name="log">Where lines go, or null.</param>
    /// <param name="clock">Another clock than the system's.</param>
    public GeometryRecorder(GeometryProbe probe, GeometryConfig config, long tokensPerStep, JsonLinesLog? log = null, TimeProvider? clock = null)
    {
        _probe = probe;
        _config = config;
        _passesPerStep = (double)probe.Shape.Tokens / tokensPerStep;
        _log = log;
        _clock = clock ?? TimeProvider.System;
        _schedule = new MeasureSchedule(
            config.Budget, [.. probe.Measures.Select(m => m.Work(probe.Shape, probe.Width) * probe.Layers / MultiplyAddsPerSecond)], [.. probe.Measures.Select(m => m.Tier >= AtCheckpoints)]);
        _all = [.. Enumerable.Range(0, probe.Measures.Count)];
        _takenAt = [.. _all.Select(_ => -1L)];
        _times = new int[_all.Length];
        _started = _clock.GetTimestamp();
    }

    /// <summary>The last figures of each measure and place, in the order of the measures.</summary>
    public IReadOnlyList<Measured> Latest => [.. _latest.OrderBy(pair => pair.Key.Measure).Select(pair => pair.Value)];

    /// <summary>What measuring cost so far: passes through the model, then each kind that was taken, the most expensive first.</summary>
    public IReadOnlyList<MeasureCost> Costs =>
    [
        .. _schedule.Passes > 0 ? [new MeasureCost(MeasureCost.Passes, _schedule.PassSpent, _schedule.Passes)] : Array.Empty<MeasureCost>(),
        .. _all.Where(i => _times[i] > 0).GroupBy(i => _probe.Measures[i].Kind)
            .Select(kind => new MeasureCost(kind.Key, kind.Sum(_schedule.SpentOn), kind.Max(i => _times[i]))).OrderByDescending(cost => cost.Seconds),
    ];

    /// <summary>The kinds that were never taken, for want of time.</summary>
    public IReadOnlyList<string> NeverTaken => [.. _all.Where(i => _times[i] == 0).Select(i => _probe.Measures[i].Kind).Distinct()];

    /// <summary>How many tokens were looked at.</summary>
    public ProbeShape Shape => _probe.Shape;

    /// <summary>How many layers the model has: where time was short, <see cref="Latest"/> may lack the figures of some.</summary>
    public int Layers => _probe.Layers;

    /// <summary>Measures what it is time to.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="stepSeconds">What the last one took.</param>
    /// <param name="isLast">The run ends here.</param>
    /// <param name="most">Seconds that the measurement at the end may take at most.</param>
    /// <param name="isCheckpoint">A checkpoint is written after it: tier 2 is measured then.</param>
    /// <param name="stop">Gives up what is left of a measurement.</param>
    public void Measure(long step, double stepSeconds, bool isLast, double most = double.PositiveInfinity, bool isCheckpoint = false, CancellationToken stop = default)
    {
        double elapsed = Seconds(_started);
        _fastestStep = Math.Min(_fastestStep, stepSeconds);
        if (!_hasPassed)
        {
            _schedule.PassCost = _fastestStep * _passesPerStep * ForwardShare;
        }

        bool isWanted = _config.Every > 0 && step % _config.Every == 0;
        if (isLast && !isWanted)
        {
            RunLast(step, Math.Min(most, Math.Max(LastSeconds, _config.Budget * elapsed)), stop);
            return;
        }

        IReadOnlyList<int> due = isWanted ? _all
            : _config.Every > 0 ? []
            : _schedule.Due(step, _fastestStep, elapsed, isCheckpoint);
        if (due.Count > 0)
        {
            Run(step, [.. due.Where(IsOpenAt(step))], double.PositiveInfinity, stop);
        }
    }

    public void Dispose() => _probe.Dispose();

    // Nothing is measured twice at a step.
    private Func<int, bool> IsOpenAt(long step) => i => _takenAt[i] != step;

    // Guesses are high: what the cheapest ones leave of the time is for those that were reckoned too dear beside them.
    private void RunLast(long step, double allowed, CancellationToken stop)
    {
        long began = _clock.GetTimestamp();
        for (double left = allowed; !stop.IsCancellationRequested && _schedule.Within(left, IsOpenAt(step)) is { Count: > 0 } due; left = allowed - Seconds(began))
        {
            Run(step, due, left, stop);
        }
    }

    private void Run(long step, IReadOnlyList<int> due, double allowed, CancellationToken stop)
    {
        if (due.Count == 0)
        {
            return;
        }

        long began = _clock.GetTimestamp();
        var seconds = new double[_probe.Measures.Count];
        bool GoesOn() => !stop.IsCancellationRequested && Seconds(began) <= allowed;
        _probe.Run(step, due, Take, GoesOn);
        void Take(int measure, PlacedMeasure placed)
        {
            long started = _clock.GetTimestamp();
            if (!GoesOn())
            {
                return;
            }

            var figures = new FigureWriter();
            placed.Take(figures);
            foreach ((FigurePlace place, FigureWriter written) in figures.ByPlace(placed.Place))
            {
                var measured = new Measured(_probe.Measures[measure], place, step, written.Figures);
                _latest[(measure, place)] = measured;
                _log?.Append(measured, GeometryLog.Write);
            }

            seconds[measure] += Seconds(started);
        }

        bool isWhole = GoesOn();
        foreach (int measure in due)
        {
            _takenAt[measure] = step;
            _times[measure]++;
            _schedule.Took(measure, seconds[measure], isWhole);
        }

        _schedule.Passed(Seconds(began) - seconds.Sum());
        _hasPassed = true;
    }

    private double Seconds(long since) => _clock.GetElapsedTime(since).TotalSeconds;
}

/// <summary>What a measure, or the passes for all of them, took of a run.</summary>
/// <param name="Measure">The kind, or <see cref="Passes"/>.</param>
/// <param name="Seconds">In all.</param>
/// <param name="Times">How often.</param>
public sealed record MeasureCost(string Measure, double Seconds, int Times)
{
    /// <summary>The passes through the model.</summary>
    public const string Passes = "passes";
}
