using System.Diagnostics;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Geometry;

/// <summary>
/// Measures a probe while a model trains, as often as a share of the time allows (or every k steps), and writes a line per layer
/// to <c>geometry.jsonl</c>. The intrinsic dimension is measured where the budget has room for it, and always at the end.
/// </summary>
public sealed class GeometryRecorder(GeometryProbe probe, GeometryConfig config, JsonLinesLog? log) : IDisposable
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private double _spentSeconds;
    private double _lastSeconds;
    private double _lastDimensionSeconds;
    private long _dimensionStep;

    /// <summary>The last measurement, or empty.</summary>
    public IReadOnlyList<LayerGeometry> Latest { get; private set; } = [];

    /// <summary>Seconds spent here so far.</summary>
    public double SpentSeconds => _spentSeconds;

    /// <summary>Measures if it is time to.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="isCheckpoint">A checkpoint follows: the intrinsic dimension is due.</param>
    /// <param name="isLast">The run ends here: measured whatever the budget.</param>
    public void Measure(long step, bool isCheckpoint, bool isLast)
    {
        bool withDimension = isLast || isCheckpoint && step != _dimensionStep && Affords(_lastDimensionSeconds);
        bool isDue = config.Every > 0 ? step % config.Every == 0 : Affords(_lastSeconds);
        if (!isLast && !withDimension && !isDue)
        {
            return;
        }

        long began = Stopwatch.GetTimestamp();
        Latest = probe.Measure(withDimension);
        foreach (LayerGeometry layer in Latest)
        {
            log?.Append((step, probe.Tokens, layer), static (json, state) => GeometryJson.Write(json, state.step, state.Tokens, state.layer));
        }

        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        _spentSeconds += seconds;
        if (withDimension)
        {
            _dimensionStep = step;
            _lastDimensionSeconds = seconds;
        }
        else
        {
            _lastSeconds = seconds;
        }
    }

    public void Dispose() => probe.Dispose();

    // Before a cost is known it is taken for nothing, so the first measurement comes at once and what it cost is saved up for.
    // Room is kept for the last one, which comes in any case.
    private bool Affords(double seconds) =>
        _spentSeconds + seconds + _lastDimensionSeconds <= config.Budget * Stopwatch.GetElapsedTime(_started).TotalSeconds;
}
