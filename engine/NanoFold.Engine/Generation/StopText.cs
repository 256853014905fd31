using System.Runtime.InteropServices;

namespace NanoFold.Engine.Generation;

/// <summary>
/// Text that grows piece by piece and ends where a stop string is complete, however it is cut into pieces. The stop that is complete first
/// counts, among several at one place the longest. What may be the beginning of a stop is not shown until it is known not to be one.
/// </summary>
internal sealed class StopText(IReadOnlyList<string> stops)
{
    private readonly List<char> _text = [];
    private int _shown;

    /// <summary>Whether a stop string was reached.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>All text before the stop.</summary>
    public override string ToString() => new(CollectionsMarshal.AsSpan(_text));

    /// <summary>Adds a piece; returns what can be shown now.</summary>
    public string Append(string piece)
    {
        for (int i = 0; i < piece.Length && !IsStopped; i++)
        {
            _text.Add(piece[i]);
            int length = LongestEnd(whole: true);
            if (length > 0)
            {
                _text.RemoveRange(_text.Count - length, length);
                IsStopped = true;
            }
        }

        return Show(IsStopped ? 0 : LongestEnd(whole: false));
    }

    /// <summary>What was held back: no more text will come.</summary>
    public string Finish() => Show(heldBack: 0);

    // Length of the longest end of the text that is a whole stop, or the beginning of one.
    private int LongestEnd(bool whole)
    {
        ReadOnlySpan<char> text = CollectionsMarshal.AsSpan(_text);
        int longest = 0;
        foreach (string stop in stops)
        {
            int shortest = whole ? stop.Length : 1;
            for (int length = whole ? stop.Length : Math.Min(stop.Length - 1, text.Length); length >= Math.Max(shortest, longest + 1); length--)
            {
                if (text.EndsWith(stop.AsSpan(0, length)))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }

    private string Show(int heldBack)
    {
        ReadOnlySpan<char> ready = CollectionsMarshal.AsSpan(_text)[_shown..(_text.Count - heldBack)];
        _shown += ready.Length;
        return ready.Length == 0 ? "" : new string(ready);
    }
}
