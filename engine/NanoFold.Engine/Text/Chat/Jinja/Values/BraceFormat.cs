using System.Globalization;
using System.Numerics;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary><c>'{} and {name:&gt;8}'.format(values)</c>.</summary>
internal static class BraceFormat
{
    private const int MostWidth = 1 << 20;

    /// <summary>The text with its values.</summary>
    public static string Apply(string format, Arguments arguments, bool escape)
    {
        int automatic = 0;
        return Apply(format, arguments, escape, depth: 2, ref automatic);
    }

    /// <summary>Only ASCII, the rest escaped.</summary>
    public static string Ascii(string text)
    {
        var ascii = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            ascii.Append(rune.IsAscii ? rune.ToString() : Show.Escape(rune.Value));
        }

        return ascii.ToString();
    }

    /// <summary>A number that is not negative, in fixed, exponential or general form.</summary>
    public static string Real(double value, char kind, int precision, bool keepsZeros)
    {
        if (!double.IsFinite(value))
        {
            string name = double.IsNaN(value) ? "nan" : "inf";
            return char.IsUpper(kind) ? name.ToUpperInvariant() : name;
        }

        string text;
        switch (char.ToLowerInvariant(kind))
        {
            case 'f':
                text = value.ToString($"F{precision}", CultureInfo.InvariantCulture);
                break;
            case 'e':
                text = Exponential(value, precision);
                break;
            default:
                int digits = Math.Max(1, precision);
                string scientific = Exponential(value, digits - 1);
                int exponent = int.Parse(scientific.AsSpan(scientific.IndexOf('e') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
                text = exponent < -4 || exponent >= digits ? scientific : value.ToString($"F{digits - 1 - exponent}", CultureInfo.InvariantCulture);
                if (!keepsZeros && text.Contains('.'))
                {
                    int e = text.IndexOf('e');
                    text = (e < 0 ? text : text[..e]).TrimEnd('0').TrimEnd('.') + (e < 0 ? "" : text[e..]);
                }

                break;
        }

        text = keepsZeros && !text.Contains('.') ? text.Insert(text.IndexOf('e') is >= 0 and var at ? at : text.Length, ".") : text;
        return char.IsUpper(kind) ? text.ToUpperInvariant() : text;
    }

    /// <summary>A whole number that is not negative, in base 2, 8, 10 or 16.</summary>
    public static string Digits(BigInteger value, int radix, bool upper)
    {
        if (radix == 10)
        {
            return Show.Integer(value);
        }

        var digits = new StringBuilder();
        do
        {
            digits.Insert(0, "0123456789abcdef"[(int)(value % radix)]);
            value /= radix;
        }
        while (!value.IsZero);
        return upper ? digits.ToString().ToUpperInvariant() : digits.ToString();
    }

    private static string Exponential(double value, int precision)
    {
        string text = value.ToString($"e{precision}", CultureInfo.InvariantCulture);
        int e = text.IndexOf('e');
        return $"{text[..(e + 2)]}{int.Parse(text.AsSpan(e + 2), CultureInfo.InvariantCulture):00}";
    }

    private static string Apply(string format, Arguments arguments, bool escape, int depth, ref int automatic)
    {
        if (depth < 0)
        {
            throw JinjaException.Value("Max string recursion exceeded");
        }

        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            Effort.RequireRoom(text.Length);
            char c = format[i];
            if (c is '{' or '}' && i + 1 < format.Length && format[i + 1] == c)
            {
                text.Append(c);
                i++;
            }
            else if (c == '}')
            {
                throw JinjaException.Value("Single '}' encountered in format string");
            }
            else if (c == '{')
            {
                int end = CloseOf(format, i);
                text.Append(Field(format[(i + 1)..end], arguments, escape, depth, ref automatic));
                i = end;
            }
            else
            {
                text.Append(c);
            }
        }

        return text.ToString();
    }

    private static int CloseOf(string format, int open)
    {
        int depth = 0;
        for (int i = open; i < format.Length; i++)
        {
            depth += format[i] == '{' ? 1 : format[i] == '}' ? -1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        throw JinjaException.Value("expected '}' before end of string");
    }

    private static string Field(string field, Arguments arguments, bool escape, int depth, ref int automatic)
    {
        int end = field.AsSpan().IndexOfAny('!', ':');
        int bracket = field.IndexOf('[');
        if (bracket >= 0 && bracket < end)
        {
            int close = field.IndexOf(']', bracket);
            int later = close < 0 ? -1 : field.AsSpan(close).IndexOfAny('!', ':');
            end = later < 0 ? -1 : close + later;
        }

        string name = end < 0 ? field : field[..end], rest = end < 0 ? "" : field[end..];
        object? value = Value(name, arguments, ref automatic);
        char conversion = '\0';
        if (rest.StartsWith('!'))
        {
            conversion = rest.Length > 1 ? rest[1] : throw JinjaException.Value("unmatched '{' in format spec");
            rest = rest[2..];
        }

        string spec = rest.StartsWith(':') ? Apply(rest[1..], arguments, escape: false, depth - 1, ref automatic)
            : rest.Length == 0 ? "" : throw JinjaException.Value("expected ':' after conversion specifier");
        value = conversion switch
        {
            '\0' => value,
            's' => Show.Str(value),
            'r' => Show.Repr(value),
            'a' => Ascii(Show.Repr(value)),
            _ => throw JinjaException.Value($"Unknown conversion specifier {conversion}"),
        };
        return escape && value is not (SafeText or BigInteger or double or bool) ? SafeText.Escape(Formatted(value, spec)).Text : Formatted(value, spec);
    }

    private static object? Value(string name, Arguments arguments, ref int automatic)
    {
        int end = name.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? name : name[..end], rest = end < 0 ? "" : name[end..];
        object? value;
        if (first.Length == 0 || first.All(char.IsAsciiDigit))
        {
            int index = first.Length == 0 ? automatic++ : int.TryParse(first, CultureInfo.InvariantCulture, out int given) ? given : int.MaxValue;
            value = index < arguments.Positional.Count ? arguments.Positional[index] : throw new JinjaException("IndexError", "Replacement index out of range for positional args tuple");
        }
        else
        {
            int at = arguments.Named.Select(one => one.Name).ToList().IndexOf(first);
            value = at >= 0 ? arguments.Named[at].Value : throw new JinjaException("KeyError", Show.Repr(first));
        }

        while (rest.Length > 0)
        {
            Effort.SpendOn(rest);
            if (rest[0] == '[')
            {
                int close = rest.IndexOf(']');
                string key = close < 0 ? throw JinjaException.Value("Missing ']' in format string") : rest[1..close];
                value = Access.Item(value, BigInteger.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out BigInteger index) ? index : key);
                rest = rest[(close + 1)..];
            }
            else
            {
                int next = rest.AsSpan(1).IndexOfAny('.', '[');
                value = Access.Attribute(value, next < 0 ? rest[1..] : rest[1..(next + 1)]);
                rest = next < 0 ? "" : rest[(next + 1)..];
            }
        }

        return value;
    }

    // [[fill]align][sign][#][0][width][grouping][.precision][type]
    private static string Formatted(object? value, string spec)
    {
        if (spec.Length == 0)
        {
            return Show.Str(value);
        }

        int at = 0;
        string fill = " ";
        char align = '\0', sign = '\0', grouping = '\0';
        int filled = PointText.LengthAt(spec, 0);
        if (spec.Length > filled && spec[filled] is '<' or '>' or '^' or '=')
        {
            (fill, align, at) = (spec[..filled], spec[filled], filled + 1);
        }
        else if (spec[0] is '<' or '>' or '^' or '=')
        {
            (align, at) = (spec[0], 1);
        }

        sign = Take("+- ", sign);
        bool alternate = Take("#", '\0') == '#';
        if (Take("0", '\0') == '0' && align == '\0')
        {
            (fill, align) = ("0", value is string or SafeText ? '<' : '=');
        }

        int width = Number() ?? 0;
        grouping = Take(",_", grouping);
        int precision = Take(".", '\0') == '.' ? Number() ?? throw JinjaException.Value("Format specifier missing precision") : -1;
        char type = at < spec.Length ? spec[at++] : '\0';
        if (at < spec.Length)
        {
            throw JinjaException.Value($"Invalid format specifier '{spec}' for object of type '{Show.TypeOf(value)}'");
        }

        string body, before = "";
        bool isNumber = value is BigInteger or double or bool;
        if (!isNumber)
        {
            if (SafeText.Plain(value) is not { } text)
            {
                throw JinjaException.Type($"unsupported format string passed to {Show.TypeOf(value)}.__format__");
            }

            if (type is not ('\0' or 's') || align == '=' || sign != '\0' || grouping != '\0' || alternate)
            {
                throw JinjaException.Value($"the format '{spec}' is none of a text");
            }

            body = precision >= 0 ? PointText.Part(text, 0, precision) : text;
        }
        else
        {
            (bool negative, body, before) = NumberText(value, type, precision, alternate);
            body = grouping == '\0' ? body : Grouped(body, grouping, type is 'x' or 'X' or 'b' or 'o' ? 4 : 3);
            before = (negative ? "-" : sign is '+' or ' ' ? sign.ToString() : "") + before;
        }

        int missing = Math.Max(0, width - before.Length - PointText.Length(body));
        string pad = string.Concat(Enumerable.Repeat(fill, missing));
        return (align == '\0' ? (isNumber ? '>' : '<') : align) switch
        {
            '<' => before + body + pad,
            '=' => before + pad + body,
            '^' => string.Concat(Enumerable.Repeat(fill, missing / 2)) + before + body + string.Concat(Enumerable.Repeat(fill, missing - (missing / 2))),
            _ => pad + before + body,
        };

        char Take(string of, char otherwise) => at < spec.Length && of.Contains(spec[at]) ? spec[at++] : otherwise;

        int? Number()
        {
            int from = at, number = 0;
            for (; at < spec.Length && char.IsAsciiDigit(spec[at]); at++)
            {
                number = (number * 10) + (spec[at] - '0');
                if (number > MostWidth)
                {
                    throw JinjaException.Value("Too many decimal digits in format string");
                }
            }

            return at > from ? number : null;
        }
    }

    private static (bool Negative, string Body, string Prefix) NumberText(object? value, char type, int precision, bool alternate)
    {
        if (value is not double && type is '\0' or 'd' or 'n' or 'x' or 'X' or 'o' or 'b' or 'c' && Operators.Whole(value, out BigInteger whole))
        {
            int radix = type switch { 'x' or 'X' => 16, 'o' => 8, 'b' => 2, _ => 10 };
            return precision >= 0 ? throw JinjaException.Value("Precision not allowed in integer format specifier")
                : type == 'c' ? (false, whole.Sign >= 0 && whole <= 0x10FFFF ? PercentFormat.Character(whole) : throw new JinjaException(JinjaException.OverflowKind, "%c arg not in range(0x110000)"), "")
                : (whole.Sign < 0, Digits(BigInteger.Abs(whole), radix, type == 'X'), alternate && radix != 10 ? $"0{type}" : "");
        }

        if (type is not ('\0' or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or 'n' or '%'))
        {
            throw JinjaException.Value($"Unknown format code '{type}' for object of type '{Show.TypeOf(value)}'");
        }

        Operators.Number(value, out double number);
        double size = Math.Abs(number);
        string body = type switch
        {
            '\0' when precision < 0 => Show.Real(size),
            '\0' => Real(size, 'g', precision, alternate) is var general && general.AsSpan().IndexOfAny('.', 'e', 'n') < 0 ? general + ".0" : Real(size, 'g', precision, alternate),
            '%' => Real(size * 100, 'f', precision < 0 ? 6 : precision, alternate) + "%",
            'n' => Real(size, 'g', precision < 0 ? 6 : precision, alternate),
            _ => Real(size, type, precision < 0 ? 6 : precision, alternate),
        };
        return (double.IsNegative(number) && !double.IsNaN(number), body, "");
    }

    private static string Grouped(string body, char separator, int size)
    {
        int whole = 0;
        while (whole < body.Length && char.IsAsciiHexDigit(body[whole]) && (size == 4 || char.IsAsciiDigit(body[whole])))
        {
            whole++;
        }

        var grouped = new StringBuilder(body[..whole]);
        for (int at = whole - size; at > 0; at -= size)
        {
            grouped.Insert(at, separator);
        }

        return grouped.Append(body, whole, body.Length - whole).ToString();
    }
}
