namespace NanoFold.Engine.Runs;

/// <summary>Times steps, and nothing between them.</summary>
internal sealed class StepClock(TimeProvider clock)
{
    private const double Smoothing = 0.1;

    private long _started;
    private double _smoothed;
    private long _tokens;

    /// <summary>Seconds spent in steps.</summary>
    public double StepSeconds { get; private set; }

    public double TokensPerSecond => StepSeconds > 0 ? _tokens / StepSeconds : 0;

    public double SmoothedTokensPerSecond { get; private set; }

    /// <summary>Seconds of the last step.</summary>
    public double LastSeconds { get; private set; }

    public void Start() => _started = clock.GetTimestamp();

    public void Stop(int tokens)
    {
        double seconds = clock.GetElapsedTime(_started).TotalSeconds;
        LastSeconds = seconds;
        StepSeconds += seconds;
        _tokens += tokens;
        _smoothed = _smoothed == 0 ? seconds : _smoothed + Smoothing * (seconds - _smoothed);
        SmoothedTokensPerSecond = tokens / _smoothed;
    }
}
