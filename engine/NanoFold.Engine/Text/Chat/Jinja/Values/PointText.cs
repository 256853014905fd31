using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Texts counted in code points, as Python counts them; .NET counts the halves of those beyond U+FFFF.</summary>
internal static class PointText
{
    /// <summary>How many code points a text has.</summary>
    public static int Length(ReadOnlySpan<char> text)
    {
        int pairs = 0;
        for (int i = 0; i + 1 < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && char.IsLowSurrogate(text[i + 1]))
            {
                pairs++;
                i++;
            }
        }

        return text.Length - pairs;
    }

    /// <summary>Halves of the code point that begins at a place.</summary>
    public static int LengthAt(string text, int at) => char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;

    /// <summary>Its code points, each as a text.</summary>
    public static IEnumerable<string> Points(string text)
    {
        for (int i = 0; i < text.Length;)
        {
            int length = LengthAt(text, i);
            yield return length == 1 ? text[i].ToString() : text.Substring(i, length);
            i += length;
        }
    }

    /// <summary>Where a code point begins, counted in halves.</summary>
    public static int Offset(string text, int point)
    {
        if (!HasPairs(text))
        {
            return Math.Min(point, text.Length);
        }

        int at = 0;
        for (; point > 0 && at < text.Length; point--)
        {
            at += LengthAt(text, at);
        }

        return at;
    }

    /// <summary>A part in code points.</summary>
    public static string Part(string text, int from, int to)
    {
        int first = Offset(text, from);
        return first >= text.Length || to <= from ? "" : HasPairs(text) ? text[first..(first + Offset(text[first..], to - from))] : text[first..Math.Min(text.Length, to)];
    }

    /// <summary>Where a part begins, in halves; −1 where it is not there.</summary>
    public static int IndexOf(string text, string part, int from = 0)
    {
        Effort.SpendOnSearch(text, part);
        return text.IndexOf(part, from, StringComparison.Ordinal);
    }

    /// <summary>Where a part begins last, in halves; −1 where it is not there.</summary>
    public static int LastIndexOf(string text, string part)
    {
        Effort.SpendOnSearch(text, part);
        return text.LastIndexOf(part, StringComparison.Ordinal);
    }

    /// <summary>How often a part is there, each after the one before.</summary>
    public static int Count(string text, string part)
    {
        Effort.SpendOnSearch(text, part);
        return text.AsSpan().Count(part);
    }

    /// <summary>What Python takes for white space.</summary>
    public static bool IsSpace(char c) => c is (>= '\t' and <= '\r') or (>= '\x1c' and <= ' ') or '\x85' or '\xA0' or '\u1680' or (>= '\u2000' and <= '\u200A') or '\u2028' or '\u2029' or '\u202F' or '\u205F' or '\u3000';

    /// <summary>Without white space, or without these characters, at its ends.</summary>
    public static string Strip(string text, string? characters, bool left = true, bool right = true)
    {
        Func<string, bool> goes = characters is null ? point => IsSpace(point[0]) : new HashSet<string>(Points(characters)).Contains;
        int from = 0, to = text.Length;
        while (left && from < to && goes(text.Substring(from, LengthAt(text, from))))
        {
            from += LengthAt(text, from);
        }

        while (right && to > from)
        {
            int length = to - from > 1 && char.IsLowSurrogate(text[to - 1]) && char.IsHighSurrogate(text[to - 2]) ? 2 : 1;
            if (!goes(text.Substring(to - length, length)))
            {
                break;
            }

            to -= length;
        }

        return text[from..to];
    }

    /// <summary>Words between white space, at most so many cuts from the left.</summary>
    public static List<string> Words(string text, int cuts)
    {
        var words = new List<string>();
        for (int at = 0; ;)
        {
            while (at < text.Length && IsSpace(text[at]))
            {
                at++;
            }

            if (at == text.Length)
            {
                return words;
            }

            if (cuts-- == 0)
            {
                words.Add(text[at..]);
                return words;
            }

            int from = at;
            while (at < text.Length && !IsSpace(text[at]))
            {
                at++;
            }

            words.Add(text[from..at]);
        }
    }

    /// <summary>The same from the right.</summary>
    public static List<string> WordsFromRight(string text, int cuts)
    {
        var words = new List<string>();
        for (int at = text.Length; ;)
        {
            while (at > 0 && IsSpace(text[at - 1]))
            {
                at--;
            }

            if (at == 0)
            {
                break;
            }

            if (cuts-- == 0)
            {
                words.Add(text[..at]);
                break;
            }

            int to = at;
            while (at > 0 && !IsSpace(text[at - 1]))
            {
                at--;
            }

            words.Add(text[at..to]);
        }

        words.Reverse();
        return words;
    }

    /// <summary>Lines, by everything that Python takes for a line break.</summary>
    public static List<string> Lines(string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        for (int from = 0; from < text.Length;)
        {
            int end = from;
            while (end < text.Length && !(text[end] is (>= '\n' and <= '\r') or (>= '\x1c' and <= '\x1e') or '\x85' or '\u2028' or '\u2029'))
            {
                end++;
            }

            int next = end == text.Length ? end : text.AsSpan(end).StartsWith("\r\n") ? end + 2 : end + 1;
            lines.Add(text[from..(keepEnds ? next : end)]);
            from = next;
        }

        return lines;
    }

    /// <summary>Whether all code points are of a kind, and there are some.</summary>
    public static bool All(string text, Func<Rune, bool> test)
    {
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!test(rune))
            {
                return false;
            }
        }

        return text.Length > 0;
    }

    public static bool IsAlphabetic(Rune rune) => Rune.GetUnicodeCategory(rune) <= UnicodeCategory.OtherLetter;

    public static bool IsDecimal(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber;

    public static bool IsDigit(Rune rune) => IsDecimal(rune) || (rune.Utf16SequenceLength == 1 && CharUnicodeInfo.GetDigitValue((char)rune.Value) >= 0);

    public static bool IsNumeric(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    public static bool IsWord(Rune rune) => IsAlphabetic(rune) || IsNumeric(rune);

    /// <summary>A Python identifier.</summary>
    public static bool IsIdentifier(string text)
    {
        bool isFirst = true;
        foreach (Rune rune in text.EnumerateRunes())
        {
            UnicodeCategory category = Rune.GetUnicodeCategory(rune);
            bool starts = rune.Value == '_' || category <= UnicodeCategory.OtherLetter || category == UnicodeCategory.LetterNumber;
            if (!starts && (isFirst || category is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation)))
            {
                return false;
            }

            isFirst = false;
        }

        return text.Length > 0;
    }

    private static bool HasPairs(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0;
}
