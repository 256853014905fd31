namespace NanoFold.Engine.Text;

/// <summary>
/// All code points in classes, so that every one of some sets holds all of a class or none of it. The table has a page for each 256 code points;
/// equal pages are one.
/// </summary>
internal sealed class CharacterClasses
{
    private const int Most = 250;
    private readonly byte[] _ascii = new byte[128];
    private readonly byte[][] _pages = new byte[(CodePoints.Invalid >> 8) + 1][];
    private readonly bool[][] _holds;

    public CharacterClasses(IReadOnlyList<CodePointSet> sets, string pattern)
    {
        int[] starts = [.. sets.SelectMany(set => set.Ranges.SelectMany(range => (int[])[range.First, range.Last + 1])).Append(0).Where(start => start <= CodePoints.Invalid).Distinct().Order()];
        var known = new Dictionary<string, byte>();
        var holds = new List<bool[]>();
        var uniform = new Dictionary<byte, byte[]>();
        for (int i = 0; i < starts.Length; i++)
        {
            bool[] held = [.. sets.Select(set => set.Contains(starts[i]))];
            string key = string.Concat(held.Select(one => one ? '1' : '0'));
            if (!known.TryGetValue(key, out byte value))
            {
                if (known.Count == Most)
                {
                    throw PatternClassParser.Bad(pattern, $"tells more than {Most} classes of characters apart");
                }

                known[key] = value = (byte)known.Count;
                holds.Add(held);
            }

            Fill(starts[i], i + 1 < starts.Length ? starts[i + 1] : CodePoints.Invalid + 1, value, uniform);
        }

        _pages[0].AsSpan(0, 128).CopyTo(_ascii);
        _holds = [.. holds];
    }

    public int Count => _holds.Length;

    public ReadOnlySpan<byte> Ascii => _ascii;

    public int Of(int point) => _pages[point >> 8][point & 0xFF];

    /// <summary>Whether set <paramref name="set"/> holds the characters of class <paramref name="value"/>.</summary>
    public bool Holds(int value, int set) => _holds[value][set];

    private void Fill(int first, int end, byte value, Dictionary<byte, byte[]> uniform)
    {
        for (int point = first; point < end;)
        {
            int page = point >> 8;
            int stop = Math.Min(end, (page + 1) << 8);
            if ((point & 0xFF) == 0 && stop - point == 256)
            {
                if (!uniform.TryGetValue(value, out byte[]? shared))
                {
                    uniform[value] = shared = new byte[256];
                    Array.Fill(shared, value);
                }

                _pages[page] = shared;
            }
            else
            {
                _pages[page] ??= new byte[256];
                _pages[page].AsSpan(point & 0xFF, stop - point).Fill(value);
            }

            point = stop;
        }
    }
}
