using System.Globalization;
using System.Numerics;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Numbers and texts as they are written in a template.</summary>
internal static class Literals
{
    private const int MostDigits = 4300;

    /// <summary>The number that begins at a place: where it ends, and its value.</summary>
    public static (int End, object Value) Number(string source, int at, int line)
    {
        bool afterPoint = at > 0 && source[at - 1] == '.';
        int digits = Digits(source, at, char.IsAsciiDigit), end = digits;
        if (!afterPoint && digits > at)
        {
            int fraction = end < source.Length && source[end] == '.' ? Digits(source, end + 1, char.IsAsciiDigit) : end + 1;
            end = fraction > end + 1 ? fraction : end;
            if (end < source.Length && source[end] is 'e' or 'E')
            {
                int exponent = end + 1 < source.Length && source[end + 1] is '+' or '-' ? end + 2 : end + 1;
                int last = Digits(source, exponent, char.IsAsciiDigit);
                end = last > exponent ? last : end;
            }
        }

        if (end > digits)
        {
            return (end, double.Parse(source[at..end].Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture));
        }

        (int radix, Func<char, bool> belongs) = at + 1 >= source.Length || source[at] != '0' ? (10, char.IsAsciiDigit) : char.ToLowerInvariant(source[at + 1]) switch
        {
            'x' => (16, char.IsAsciiHexDigit),
            'o' => (8, c => c is >= '0' and <= '7'),
            'b' => (2, c => c is '0' or '1'),
            _ => (10, (Func<char, bool>)(c => c == '0')),
        };
        int start = radix == 10 ? at : at + 2;
        if (radix != 10 && start < source.Length && source[start] == '_')
        {
            start++;
        }

        end = Digits(source, start, belongs);
        if (end == start && radix != 10)
        {
            // A zero, and a name that follows it.
            (start, end, radix) = (at, at + 1, 10);
        }

        if (end - start > MostDigits)
        {
            throw JinjaException.Syntax(line, $"a number has more than {MostDigits} digits", JinjaException.ValueKind);
        }

        BigInteger value = BigInteger.Zero;
        foreach (char c in source.AsSpan(start, end - start))
        {
            value = c == '_' ? value : (value * radix) + Convert.ToInt32(c.ToString(), 16);
        }

        return (end, value);
    }

    // Where digits end, between which single underscores may stand.
    private static int Digits(string source, int from, Func<char, bool> belongs)
    {
        int at = from;
        while (at < source.Length && (belongs(source[at]) || (source[at] == '_' && at > from && source[at - 1] != '_' && at + 1 < source.Length && belongs(source[at + 1]))))
        {
            at++;
        }

        return at;
    }

    /// <summary>A text without its quotes, its escapes understood as Python does.</summary>
    public static string Unescaped(string raw, int line)
    {
        var text = new StringBuilder(raw.Length);
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            char kind = raw[++i];
            switch (kind)
            {
                case '\n':
                    break;
                case '\\' or '\'' or '"':
                    text.Append(kind);
                    break;
                case 'n' or 't' or 'r' or 'a' or 'b' or 'f' or 'v':
                    text.Append(kind switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'a' => '\a', 'b' => '\b', 'f' => '\f', _ => '\v' });
                    break;
                case >= '0' and <= '7':
                    int to = i;
                    int value = 0;
                    for (; to < raw.Length && to < i + 3 && raw[to] is >= '0' and <= '7'; to++)
                    {
                        value = (value * 8) + (raw[to] - '0');
                    }

                    text.Append((char)value);
                    i = to - 1;
                    break;
                case 'x' or 'u' or 'U':
                    int digits = kind switch { 'x' => 2, 'u' => 4, _ => 8 };
                    if (i + digits >= raw.Length || !int.TryParse(raw.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int point) || point is < 0 or > 0x10FFFF)
                    {
                        throw JinjaException.Syntax(line, $"truncated \\{kind} escape");
                    }

                    text.Append(point < 0x10000 ? ((char)point).ToString() : char.ConvertFromUtf32(point));
                    i += digits;
                    break;
                case 'N':
                    throw JinjaException.Syntax(line, "\\N: names of characters in texts are not supported", JinjaException.UnsupportedKind);
                case > '\x7F':
                    // As the reference has it: the character becomes its own escape, which the backslash then takes apart.
                    int length = PointText.LengthAt(raw, i);
                    text.Append(Show.Escape(char.ConvertToUtf32(raw, i)));
                    i += length - 1;
                    break;
                default:
                    text.Append('\\').Append(kind);
                    break;
            }
        }

        return text.ToString();
    }
}
