namespace NanoFold.Engine.Text;

/// <summary>
/// The normal forms of Unicode (UAX #15) as of Unicode 9: NFD and NFKD decompose, NFC and NFKC compose again. .NET has them only with the tables of the
/// system, which this program runs without.
/// </summary>
internal sealed class UnicodeForm(bool compose, bool compatible) : Normalizer
{
    private const int HangulFirst = 0xAC00, HangulCount = 11172, LeadFirst = 0x1100, LeadCount = 19, VowelFirst = 0x1161, VowelCount = 21, TailFirst = 0x11A7, TailCount = 28;
    private static readonly UnicodeData s_data = UnicodeData.Shared;

    // What may change: the classes of characters that do, and those that do not.
    private readonly CharacterClasses _classes = new([Changing(compose, compatible)], "a normal form");

    // Below it nothing decomposes, nor follows anything that it composes with.
    private readonly int _firstThatChanges = compatible ? 0xA0 : 0xC0;

    /// <inheritdoc/>
    public override bool MayCutAfterLetters => true;

    /// <inheritdoc/>
    public override bool Keeps(ReadOnlySpan<byte> text)
    {
        for (int at = 0, length; at < text.Length; at += length)
        {
            // ASCII stays.
            int next = text[at..].IndexOfAnyInRange((byte)0x80, (byte)0xFF);
            if (next < 0)
            {
                return true;
            }

            at += next;
            if (_classes.Holds(_classes.Of(CodePoints.Read(text, at, out length)), 0))
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        // A starter, if there is one, with the marks after it in order.
        var cluster = new List<(int Class, int Point)>();
        var parts = new List<int>();
        for (int at = 0, length; at < text.Length; at += length)
        {
            int point = CodePoints.Read(text, at, out length);
            if (point == CodePoints.Invalid)
            {
                Flush(cluster, output);
                output.Add(text.Slice(at, length));
                continue;
            }

            if (point < _firstThatChanges)
            {
                Flush(cluster, output);
                cluster.Add((0, point));
                continue;
            }

            parts.Clear();
            Decompose(point, parts);
            foreach (int part in parts)
            {
                Take(part, cluster, output);
            }
        }

        Flush(cluster, output);
    }

    // Marks, what decomposes and is not composed again, and what is composed with a character before it.
    private static CodePointSet Changing(bool compose, bool compatible)
    {
        IEnumerable<int> decomposed = s_data.Decompositions.Where(entry => compatible || !entry.Value.Compatible).Select(entry => entry.Key);
        if (!compose)
        {
            return CodePointSet.Of(decomposed.Concat(s_data.CombiningClasses.Keys).Select(point => (point, point)).Append((HangulFirst, HangulFirst + HangulCount - 1)));
        }

        HashSet<int> composed = [.. s_data.Compositions.Values];
        IEnumerable<int> seconds = s_data.Compositions.Keys.Select(pair => (int)(uint)pair);
        return CodePointSet.Of(decomposed.Where(point => !composed.Contains(point)).Concat(s_data.CombiningClasses.Keys).Concat(seconds).Select(point => (point, point))
            .Append((VowelFirst, VowelFirst + VowelCount - 1)).Append((TailFirst + 1, TailFirst + TailCount - 1)));
    }

    private void Take(int point, List<(int Class, int Point)> cluster, ByteBuffer output)
    {
        int order = s_data.CombiningClasses.GetValueOrDefault(point);
        if (order != 0)
        {
            cluster.Add((order, point));
            return;
        }

        if (compose && cluster.Count > 0 && cluster[0].Class == 0)
        {
            Compose(cluster);
            if (cluster.Count == 1 && Composed(cluster[0].Point, point) is { } both)
            {
                cluster[0] = (0, both);
                return;
            }
        }

        Flush(cluster, output);
        cluster.Add((0, point));
    }

    private void Flush(List<(int Class, int Point)> cluster, ByteBuffer output)
    {
        if (compose)
        {
            Compose(cluster);
        }
        else
        {
            Sort(cluster);
        }

        foreach ((_, int point) in cluster)
        {
            output.AddCodePoint(point);
        }

        cluster.Clear();
    }

    // Marks in order of their classes, those of one class as they stood.
    private static void Sort(List<(int Class, int Point)> cluster)
    {
        bool sorted = true;
        for (int i = 1; i < cluster.Count; i++)
        {
            sorted &= cluster[i - 1].Class <= cluster[i].Class;
        }

        if (!sorted)
        {
            (int, int)[] ordered = [.. cluster.OrderBy(mark => mark.Class)];
            cluster.Clear();
            cluster.AddRange(ordered);
        }
    }

    // Each mark that composes with the starter goes into it, unless one of its own or a higher class stands between.
    private static void Compose(List<(int Class, int Point)> cluster)
    {
        if (cluster.Count < 2)
        {
            return;
        }

        Sort(cluster);
        if (cluster[0].Class != 0)
        {
            return;
        }

        int kept = 1;
        int before = 0;
        for (int i = 1; i < cluster.Count; i++)
        {
            (int order, int point) = cluster[i];
            if (before < order && Composed(cluster[0].Point, point) is { } both)
            {
                cluster[0] = (0, both);
                continue;
            }

            before = order;
            cluster[kept++] = (order, point);
        }

        cluster.RemoveRange(kept, cluster.Count - kept);
    }

    private static int? Composed(int first, int second)
    {
        int lead = first - LeadFirst, vowel = second - VowelFirst;
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            return HangulFirst + ((lead * VowelCount + vowel) * TailCount);
        }

        int syllable = first - HangulFirst, tail = second - TailFirst;
        if (syllable is >= 0 and < HangulCount && syllable % TailCount == 0 && tail is > 0 and < TailCount)
        {
            return first + tail;
        }

        return s_data.Compositions.TryGetValue(((long)first << 32) | (uint)second, out int both) ? both : null;
    }

    private void Decompose(int point, List<int> parts)
    {
        int syllable = point - HangulFirst;
        if (syllable is >= 0 and < HangulCount)
        {
            parts.Add(LeadFirst + (syllable / (VowelCount * TailCount)));
            parts.Add(VowelFirst + (syllable / TailCount % VowelCount));
            if (syllable % TailCount > 0)
            {
                parts.Add(TailFirst + (syllable % TailCount));
            }
        }
        else if (s_data.Decompositions.TryGetValue(point, out (bool Compatible, int[] Parts) next) && (compatible || !next.Compatible))
        {
            foreach (int part in next.Parts)
            {
                Decompose(part, parts);
            }
        }
        else
        {
            parts.Add(point);
        }
    }
}
