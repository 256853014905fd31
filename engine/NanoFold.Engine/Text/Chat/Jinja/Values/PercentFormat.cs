using System.Globalization;
using System.Numerics;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary><c>'%s and %d' % values</c>.</summary>
internal static class PercentFormat
{
    private const int MostWidth = 1 << 20;

    /// <summary>The text with its values.</summary>
    /// <param name="format">With conversions.</param>
    /// <param name="values">A tuple of several, a dictionary for those with names, or one value.</param>
    /// <param name="escape">Whether texts are escaped.</param>
    public static string Apply(string format, object? values, bool escape = false)
    {
        object?[] list = values is JinjaTuple tuple ? tuple.Items : [values];
        var text = new StringBuilder();
        int used = 0, i = 0;
        for (; i < format.Length; i++)
        {
            Effort.RequireRoom(text.Length);
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            i++;
            string? name = null;
            if (i < format.Length && format[i] == '(')
            {
                int end = format.IndexOf(')', i);
                name = end < 0 ? throw JinjaException.Value("incomplete format key") : format[(i + 1)..end];
                i = end + 1;
            }

            int begin = i;
            while (i < format.Length && format[i] is '#' or '0' or '-' or ' ' or '+')
            {
                i++;
            }

            string flags = format[begin..i];

            int width = Size(), precision = -1;
            if (i < format.Length && format[i] == '.')
            {
                i++;
                precision = Math.Max(0, Size());
            }

            while (i < format.Length && format[i] is 'h' or 'l' or 'L')
            {
                i++;
            }

            if (i >= format.Length)
            {
                throw JinjaException.Value("incomplete format");
            }

            if (width < 0)
            {
                (flags, width) = (flags + '-', -width);
            }

            text.Append(format[i] == '%' ? "%" : Converted(format[i], name is null ? NextValue() : Named(values, name), flags, width, precision, escape));
        }

        // What has items may have more of them than are asked for.
        return used < list.Length && values is not (JinjaDict or List<object?> or Undefined or JinjaRange or JinjaBytes)
            ? throw JinjaException.Type("not all arguments converted during string formatting")
            : text.ToString();

        object? NextValue() => used < list.Length ? list[used++] : throw JinjaException.Type("not enough arguments for format string");

        int Size()
        {
            if (i < format.Length && format[i] == '*')
            {
                i++;
                return Operators.Whole(NextValue(), out BigInteger given) && BigInteger.Abs(given) < MostWidth ? (int)given : throw JinjaException.Type("* wants int");
            }

            int size = 0;
            for (; i < format.Length && char.IsAsciiDigit(format[i]); i++)
            {
                size = (size * 10) + (format[i] - '0');
                if (size > MostWidth)
                {
                    throw JinjaException.Value("width too big");
                }
            }

            return size;
        }
    }

    private static object? Named(object? values, string name) => values is JinjaDict dict
        ? dict.TryGet(name, out object? value) ? value : throw new JinjaException("KeyError", Show.Repr(name))
        : throw JinjaException.Type("format requires a mapping");

    private static string Converted(char kind, object? value, string flags, int width, int precision, bool escape)
    {
        switch (kind)
        {
            case 's' or 'r' or 'a':
                string shown = kind switch { 's' => escape ? SafeText.Escape(value).Text : Show.Str(value), 'r' => Show.Repr(value), _ => BraceFormat.Ascii(Show.Repr(value)) };
                return Padded(precision >= 0 ? PointText.Part(shown, 0, precision) : shown, "", flags.Replace("0", "", StringComparison.Ordinal), width);
            case 'c':
                return Padded(Character(value), "", flags.Replace("0", "", StringComparison.Ordinal), width);
            case 'd' or 'i' or 'u':
                return Integer(Operators.Whole(value, out BigInteger whole) ? whole : value is double real && double.IsFinite(real) ? new BigInteger(real)
                    : throw JinjaException.Type($"%{kind} format: a real number is required, not {Show.TypeOf(value)}"), 10, kind, flags, width, precision);
            case 'x' or 'X' or 'o':
                return Integer(Operators.Whole(value, out whole) ? whole : throw JinjaException.Type($"%{kind} format: an integer is required, not {Show.TypeOf(value)}"), kind == 'o' ? 8 : 16, kind, flags, width, precision);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                if (!Operators.Number(value, out double number))
                {
                    throw JinjaException.Type($"must be real number, not {Show.TypeOf(value)}");
                }

                string digits = BraceFormat.Real(Math.Abs(number), kind, precision < 0 ? 6 : precision, flags.Contains('#'));
                return Padded(digits, Sign(double.IsNegative(number) && !double.IsNaN(number), flags), double.IsFinite(number) ? flags : flags.Replace("0", "", StringComparison.Ordinal), width);
            default:
                throw JinjaException.Value($"unsupported format character '{kind}'");
        }
    }

    /// <summary>A character by its number, or a text of one.</summary>
    public static string Character(object? value) => SafeText.Plain(value) is { } text && PointText.Length(text) == 1 ? text
        : Operators.Whole(value, out BigInteger point) && point >= 0 && point <= 0x10FFFF && value is not (string or SafeText) ? (point < 0x10000 ? ((char)(int)point).ToString() : char.ConvertFromUtf32((int)point))
        : Operators.Whole(value, out _) ? throw new JinjaException(JinjaException.OverflowKind, "%c arg not in range(0x110000)")
        : throw JinjaException.Type("%c requires int or char");

    private static string Integer(BigInteger value, int radix, char kind, string flags, int width, int precision)
    {
        string digits = BraceFormat.Digits(BigInteger.Abs(value), radix, kind == 'X');
        digits = precision > digits.Length ? digits.PadLeft(precision, '0') : digits;
        string prefix = flags.Contains('#') && radix != 10 ? (radix == 8 ? "0o" : kind == 'X' ? "0X" : "0x") : "";
        return Padded(digits, Sign(value.Sign < 0, flags) + prefix, flags, width);
    }

    private static string Sign(bool negative, string flags) => negative ? "-" : flags.Contains('+') ? "+" : flags.Contains(' ') ? " " : "";

    private static string Padded(string body, string sign, string flags, int width)
    {
        int missing = Math.Max(0, width - sign.Length - PointText.Length(body));
        return flags.Contains('-') ? sign + body + new string(' ', missing)
            : flags.Contains('0') ? sign + new string('0', missing) + body
            : new string(' ', missing) + sign + body;
    }
}
