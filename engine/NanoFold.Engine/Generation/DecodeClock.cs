using System.Diagnostics;

namespace NanoFold.Engine.Generation;

/// <summary>
/// How fast tokens are written after the first one of each sample, so that reading the prompts does not blur it. Where there is nothing after a
/// first token, over the whole time.
/// </summary>
internal sealed class DecodeClock
{
    private readonly long _created = Stopwatch.GetTimestamp();
    private long _last;
    private long _tokens;
    private long _later;
    private TimeSpan _laterTime;
    private bool _isFirst;

    public double TokensPerSecond => _later > 0 ? _later / _laterTime.TotalSeconds : _tokens / Stopwatch.GetElapsedTime(_created, _last).TotalSeconds;

    /// <summary>The next token is a sample's first.</summary>
    public void Begin() => _isFirst = true;

    /// <summary>Counts a token that was written now.</summary>
    public void Add()
    {
        long now = Stopwatch.GetTimestamp();
        _tokens++;
        if (!_isFirst)
        {
            _later++;
            _laterTime += Stopwatch.GetElapsedTime(_last, now);
        }

        _isFirst = false;
        _last = now;
    }
}
