using System.Diagnostics;

namespace NanoFold.Engine.Generation;

/// <summary>
/// How fast tokens are written after the first one: of what was sampled after the first token, so that reading the prompt does not blur
/// it. Where there is nothing after the first token, over the whole time.
/// </summary>
internal sealed class DecodeClock
{
    private readonly long _created = Stopwatch.GetTimestamp();
    private long _first;
    private long _last;
    private long _firstTokens;
    private long _tokens;

    public double TokensPerSecond => _tokens > _firstTokens
        ? (_tokens - _firstTokens) / Stopwatch.GetElapsedTime(_first, _last).TotalSeconds
        : _tokens / Stopwatch.GetElapsedTime(_created, _last).TotalSeconds;

    /// <summary>Counts tokens sampled after one run.</summary>
    public void Add(int tokens)
    {
        if (tokens == 0)
        {
            return;
        }

        _last = Stopwatch.GetTimestamp();
        _tokens += tokens;
        if (_firstTokens == 0)
        {
            _first = _last;
            _firstTokens = tokens;
        }
    }
}
