namespace NanoFold.Engine.Text;

/// <summary>
/// What a search remembers of attempts that ran on beyond their match: on a grid of places, the states from which nothing more was found. Where a
/// later attempt comes to the same state at the same place it stops. For one text, and one thread, at a time.
/// </summary>
internal sealed class PatternTail
{
    /// <summary>A place is looked at where these bits of it change their carry: every 16 bytes.</summary>
    public const int Grid = 15;

    private readonly List<(int At, int State)> _now = [];
    private readonly Dictionary<int, int> _kept = [];
    private long _budget;

    /// <summary>Forgets all: another text, of <paramref name="bytes"/>, follows.</summary>
    public void Reset(int bytes)
    {
        _budget = 10_000_000L + 1000L * bytes;
        if (_kept.Count > 0)
        {
            _kept.Clear();
        }
    }

    /// <summary>Another attempt begins.</summary>
    public void Begin()
    {
        if (_now.Count > 0)
        {
            _now.Clear();
        }
    }

    /// <summary>An attempt is in a state; true where it has nothing more to find.</summary>
    public bool Passed(int at, int state)
    {
        if (_kept.TryGetValue(at, out int before) && before == state)
        {
            return true;
        }

        _now.Add((at, state));
        return false;
    }

    /// <summary>An attempt ran on for <paramref name="bytes"/> after its match, which ended at <paramref name="end"/>.</summary>
    /// <exception cref="UserException">The search would not end in a time that grows with the text.</exception>
    public void Keep(int end, int bytes, string pattern)
    {
        _budget -= bytes;
        if (_budget < 0)
        {
            throw PatternClassParser.Bad(pattern, "takes too long on this text");
        }

        foreach ((int at, int state) in _now)
        {
            if (at > end)
            {
                _kept[at] = state;
            }
        }
    }
}
