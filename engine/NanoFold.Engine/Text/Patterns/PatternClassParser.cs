using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>Classes in brackets and escaped characters of a regular expression.</summary>
internal sealed class PatternClassParser(string pattern, PatternDialect dialect)
{
    private const int DeepestClass = 100;
    private int _depth;

    public CodePointSet Word => dialect == PatternDialect.Oniguruma ? UnicodeClasses.Word : UnicodeClasses.RustWord;

    public static UserException Bad(string pattern, string problem) => new($"the pattern '{TokenizerJson.Shorten(pattern)}' {problem}");

    /// <summary>The character at <paramref name="at"/>, which is left behind.</summary>
    public int CodePoint(ref int at)
    {
        if (Rune.TryGetRuneAt(pattern, at, out Rune rune))
        {
            at += rune.Utf16SequenceLength;
            return rune.Value;
        }

        throw Bad("is not Unicode");
    }

    /// <summary>A class from its bracket to its end: ranges, escapes, classes in it, and what stands on both sides of <c>&amp;&amp;</c>.</summary>
    public CodePointSet Class(ref int at)
    {
        if (++_depth > DeepestClass)
        {
            throw Bad("has classes too deep in each other");
        }

        at++;
        bool negate = at < pattern.Length && pattern[at] == '^';
        at += negate ? 1 : 0;
        CodePointSet? both = null;
        var ranges = new List<(int, int)>();
        for (bool first = true; ; first = false)
        {
            if (at >= pattern.Length)
            {
                throw Bad("has a '[' without its ']'");
            }

            if (pattern[at] == ']' && !first)
            {
                at++;
                break;
            }

            if (string.CompareOrdinal(pattern, at, "&&", 0, 2) == 0)
            {
                at += 2;
                both = Meet(both, ranges);
                ranges = [];
                continue;
            }

            AddItem(ref at, ranges);
        }

        _depth--;
        CodePointSet set = Meet(both, ranges);
        return negate ? set.Not() : set;
    }

    /// <summary>What an escape means, as a set.</summary>
    public CodePointSet Escape(ref int at)
    {
        at++;
        if (at >= pattern.Length)
        {
            throw Bad("ends with a '\\'");
        }

        char c = pattern[at++];
        switch (c)
        {
            case 's':
                return UnicodeClasses.Space;
            case 'S':
                return UnicodeClasses.Space.Not();
            case 'd':
                return UnicodeClasses.Category("Nd");
            case 'D':
                return UnicodeClasses.Category("Nd").Not();
            case 'w':
                return Word;
            case 'W':
                return Word.Not();
            case 'h' when dialect == PatternDialect.Oniguruma:
                return CodePointSet.Of([('0', '9'), ('A', 'F'), ('a', 'f')]);
            case 'p' or 'P':
                return Property(ref at, negate: c == 'P');
            case 'n':
                return CodePointSet.Of('\n');
            case 'r':
                return CodePointSet.Of('\r');
            case 't':
                return CodePointSet.Of('\t');
            case 'f':
                return CodePointSet.Of('\f');
            case 'v':
                return CodePointSet.Of('\v');
            case 'a':
                return CodePointSet.Of(7);
            case 'e':
                return CodePointSet.Of(27);
            case '0':
                return CodePointSet.Of(0);
            case 'x':
                return CodePointSet.Of(Hex(ref at, 2));
            case 'u':
                return CodePointSet.Of(Hex(ref at, 4));
            default:
                if (char.IsAsciiLetterOrDigit(c))
                {
                    throw Bad($"has '\\{c}', which is not supported");
                }

                at--;
                return CodePointSet.Of(CodePoint(ref at));
        }
    }

    private void AddItem(ref int at, List<(int, int)> ranges)
    {
        if (pattern[at] == '[')
        {
            ranges.AddRange(IsPosix(at) ? Posix(ref at).Ranges : Class(ref at).Ranges);
            return;
        }

        int first = at;
        CodePointSet low = pattern[at] == '\\' ? Escape(ref at) : CodePointSet.Of(CodePoint(ref at));
        if (!IsOne(low) || at + 1 >= pattern.Length || pattern[at] != '-' || pattern[at + 1] is ']' or '[')
        {
            ranges.AddRange(low.Ranges);
            return;
        }

        at++;
        CodePointSet high = pattern[at] == '\\' ? Escape(ref at) : CodePointSet.Of(CodePoint(ref at));
        if (!IsOne(high) || high.Ranges[0].First < low.Ranges[0].First)
        {
            throw Bad($"has a range that is none at place {first}");
        }

        ranges.Add((low.Ranges[0].First, high.Ranges[0].First));
    }

    private static bool IsOne(CodePointSet set) => set.Ranges is [var (first, last)] && first == last;

    private static CodePointSet Meet(CodePointSet? before, List<(int, int)> ranges)
    {
        CodePointSet set = CodePointSet.Of(ranges);
        return before is null ? set : before.And(set);
    }

    private bool IsPosix(int at) => string.CompareOrdinal(pattern, at, "[:", 0, 2) == 0 && pattern.IndexOf(":]", at, StringComparison.Ordinal) > 0;

    private CodePointSet Posix(ref int at)
    {
        int end = pattern.IndexOf(":]", at, StringComparison.Ordinal);
        string name = pattern[(at + 2)..end];
        at = end + 2;
        bool negate = name.StartsWith('^');
        CodePointSet set = UnicodeClasses.Named(negate ? name[1..] : name) ?? throw Bad($"has the class [:{name}:], which is not supported");
        return negate ? set.Not() : set;
    }

    private CodePointSet Property(ref int at, bool negate)
    {
        string name;
        if (at < pattern.Length && pattern[at] == '{')
        {
            int end = pattern.IndexOf('}', at);
            name = end < 0 ? throw Bad("has a '{' without its '}'") : pattern[(at + 1)..end];
            at = end + 1;
        }
        else
        {
            name = at < pattern.Length ? pattern[at++].ToString() : "";
        }

        if (name.StartsWith('^'))
        {
            (name, negate) = (name[1..], !negate);
        }

        CodePointSet set = UnicodeClasses.Named(name) ?? throw Bad($"has the class \\p{{{name}}}, which is not supported");
        return negate ? set.Not() : set;
    }

    private int Hex(ref int at, int digits)
    {
        int end = at + digits;
        int next = end;
        if (at < pattern.Length && pattern[at] == '{')
        {
            at++;
            end = pattern.IndexOf('}', at);
            next = end + 1;
        }

        if (end < at || end > pattern.Length || !int.TryParse(pattern[at..end], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int point) || !Rune.IsValid(point))
        {
            throw Bad("has a code that is no character");
        }

        at = next;
        return point;
    }

    private UserException Bad(string problem) => Bad(pattern, problem);
}
