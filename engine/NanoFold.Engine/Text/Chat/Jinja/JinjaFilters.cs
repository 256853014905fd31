using System.Globalization;
using System.Numerics;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>A filter.</summary>
/// <param name="evaluator">Who applies it.</param>
/// <param name="value">What stands before the bar.</param>
/// <param name="arguments">What stands in its parentheses.</param>
internal delegate object? Filter(Evaluator evaluator, object? value, Arguments arguments);

/// <summary>Filters of texts and numbers, and the table of all filters.</summary>
internal static class JinjaFilters
{
    private const string Text = "s";

    /// <summary>By name.</summary>
    public static IReadOnlyDictionary<string, Filter> All { get; } = new Dictionary<string, Filter>([.. OfTexts(), .. OfNumbers(), .. ListFilters.All()], StringComparer.Ordinal);

    /// <summary>Those of the language that are not there.</summary>
    public static IReadOnlySet<string> Others { get; } = new HashSet<string>(["random", "striptags", "urlize", "wordwrap", "xmlattr"], StringComparer.Ordinal);

    /// <summary>A text; of anything else what it prints as. Safe text stays safe.</summary>
    public static object Soft(object? value) => value is string or SafeText ? value : Show.Str(value);

    private static IEnumerable<KeyValuePair<string, Filter>> OfTexts() =>
    [
        new("upper", Method("upper")),
        new("lower", Method("lower")),
        new("capitalize", Method("capitalize")),
        new("title", (_, value, arguments) => arguments.Bind("title", 0) is null ? null : Title(Show.Str(value))),
        new("trim", Method("strip")),
        new("center", (evaluator, value, arguments) => Call(evaluator, value, "center", arguments.Bind("center", 0, "width").Has(0) ? arguments.Positional.Count > 0 ? arguments : new Arguments([arguments.Named[0].Value], []) : new Arguments([new BigInteger(80)], []))),
        new("string", (_, value, arguments) => arguments.Bind("string", 0) is null ? null : Soft(value)),
        new("safe", (_, value, arguments) => arguments.Bind("safe", 0) is null ? null : value as SafeText ?? new SafeText(Show.Str(value))),
        new("escape", (_, value, arguments) => arguments.Bind("escape", 0) is null ? null : SafeText.Escape(value)),
        new("e", (_, value, arguments) => arguments.Bind("e", 0) is null ? null : SafeText.Escape(value)),
        new("forceescape", (_, value, arguments) => arguments.Bind("forceescape", 0) is null ? null : SafeText.Escape(Show.Str(value))),
        new("replace", Replace),
        new("format", (_, value, arguments) => Format(Soft(value), arguments)),
        new("indent", (_, value, arguments) => Indent(value, arguments.Bind("indent", 0, "width", "first", "blank"))),
        new("truncate", (_, value, arguments) => Truncate(value, arguments.Bind("truncate", 0, "length", "killwords", "end", "leeway"))),
        new("wordcount", (_, value, arguments) => arguments.Bind("wordcount", 0) is null ? null : new BigInteger(CountWords(Show.Str(value)))),
        new("tojson", (_, value, arguments) => JinjaJson.Filter(value, arguments)),
        new("pprint", (_, value, arguments) => arguments.Bind("pprint", 0) is null ? null : Pretty(value)),
        new("urlencode", (_, value, arguments) => arguments.Bind("urlencode", 0) is null ? null : UrlEncode(value)),
    ];

    private static IEnumerable<KeyValuePair<string, Filter>> OfNumbers() =>
    [
        new("abs", (_, value, arguments) => arguments.Bind("abs", 0) is null ? null : Abs(value)),
        new("int", (_, value, arguments) => Int(value, arguments.Bind("int", 0, "default", "base"))),
        new("float", (_, value, arguments) => Float(value, arguments.Bind("float", 0, "default"))),
        new("round", (_, value, arguments) => Round(value, arguments.Bind("round", 0, "precision", "method"))),
        new("filesizeformat", (_, value, arguments) => FileSize(value, arguments.Bind("filesizeformat", 0, "binary").Flag(0, false))),
    ];

    private static Filter Method(string name) => (evaluator, value, arguments) => Call(evaluator, value, name, arguments);

    private static object? Call(Evaluator evaluator, object? value, string method, Arguments arguments) => ((ICallable)TextMethods.Find(Soft(value), method)!).Call(evaluator, arguments);

    private static object? Replace(Evaluator evaluator, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind("replace", 2, "old", "new", "count");
        int count = bound.Int(2, -1);
        (object? old, object? other) = (bound.Value(0), bound.Value(1));
        if (!evaluator.Autoescape)
        {
            return TextMethods.Replace(Show.Str(value), Show.Str(old), Show.Str(other), count);
        }

        return old is SafeText || (other is SafeText && value is not SafeText) || value is SafeText
            ? new SafeText(TextMethods.Replace(SafeText.Escape(value).Text, SafeText.Escape(old).Text, SafeText.Escape(other).Text, count))
            : TextMethods.Replace(Show.Str(value), Show.Str(old), Show.Str(other), count);
    }

    private static object Format(object text, Arguments arguments)
    {
        if (arguments is { Positional.Count: > 0, Named.Count: > 0 })
        {
            throw new JinjaException(JinjaException.ArgumentKind, "can't handle positional and keyword arguments at the same time");
        }

        var named = new JinjaDict();
        foreach ((string name, object? value) in arguments.Named)
        {
            named[name] = value;
        }

        return Operators.Modulo(text, arguments.Named.Count > 0 ? named : new JinjaTuple([.. arguments.Positional]));
    }

    private static string Title(string text)
    {
        var title = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            bool isCut = Cuts(text[at]);
            int end = at;
            while (end < text.Length && Cuts(text[end]) == isCut)
            {
                end++;
            }

            int first = PointText.LengthAt(text, at);
            title.Append(Casing.Upper(text.Substring(at, first))).Append(Casing.Lower(text[(at + first)..end]));
            at = end;
        }

        return title.ToString();

        static bool Cuts(char c) => c is '-' or '(' or '{' or '[' or '<' || PointText.IsSpace(c);
    }

    private static object Indent(object? value, Bound bound)
    {
        if (value is Undefined undefined)
        {
            throw undefined.Fault();
        }

        string text = SafeText.Plain(value) ?? throw (value is List<object?> ? new JinjaException("AttributeError", "'list' object has no attribute 'splitlines'") : JinjaException.Type($"unsupported operand type(s) for +=: '{Show.TypeOf(value)}' and 'str'"));
        string indent = SafeText.Plain(bound.Value(0)) ?? new string(' ', Math.Clamp(bound.Int(0, 4), 0, 1 << 16));
        indent = value is SafeText ? SafeText.Escape(indent).Text : indent;
        bool blank = bound.Flag(2, false);
        string[] lines = [.. PointText.Lines(text + "\n")];
        Effort.RequireRoom(text.Length + ((long)lines.Length * indent.Length));
        string indented = string.Join('\n', lines.Select((line, i) => i > 0 && (blank || line.Length > 0) ? indent + line : line));
        indented = bound.Flag(1, false) ? indent + indented : indented;
        return value is SafeText ? new SafeText(indented) : indented;
    }

    private static object Truncate(object? value, Bound bound)
    {
        int length = bound.Int(0, 255), leeway = bound.Int(3, 5);
        string end = bound.Text(2, "...")!;
        if (length < PointText.Length(end) || leeway < 0)
        {
            throw new JinjaException("AssertionError", $"expected length >= {PointText.Length(end)}, got {length}");
        }

        if (Access.Length(value) <= length + leeway)
        {
            return value!;
        }

        string text = SafeText.Plain(value) ?? throw JinjaException.Type("unhashable type: 'slice'");
        string kept = PointText.Part(text, 0, length - PointText.Length(end));
        kept = !bound.Flag(1, false) && kept.LastIndexOf(' ') is >= 0 and var at ? kept[..at] : kept;
        return value is SafeText ? new SafeText(kept + SafeText.Escape(bound.Value(2, end)).Text) : kept + end;
    }

    private static int CountWords(string text)
    {
        int words = 0;
        bool isInside = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isWord = rune.Value == '_' || PointText.IsWord(rune);
            words += isWord && !isInside ? 1 : 0;
            isInside = isWord;
        }

        return words;
    }

    private static string Pretty(object? value)
    {
        string text = Show.Repr(Ordered(value));
        return text.Length <= 80 ? text : throw JinjaException.Unsupported("pprint of what is wider than 80 columns");
    }

    private static object? Ordered(object? value) => value switch
    {
        JinjaDict dict => Globals.DictOf(null, [.. Operators.Sorted(dict.Items.Select(item => (object?)new JinjaTuple(item.Key, Ordered(item.Value))), item => ((JinjaTuple)item!).Items[0], reverse: false).Select(item => (((JinjaTuple)item!).Items[0], ((JinjaTuple)item!).Items[1]))]),
        List<object?> list => list.ConvertAll(Ordered),
        _ => value,
    };

    private static string UrlEncode(object? value)
    {
        if (value is string or SafeText || !Access.IsIterable(value))
        {
            return Quote(Show.Str(value), keepsSlash: true);
        }

        IEnumerable<object?> pairs = value is JinjaDict dict ? new DictView(dict, "items").Elements : Access.Elements(value);
        return string.Join('&', pairs.Select(pair => Access.Elements(pair).ToArray() is { Length: 2 } parts
            ? string.Join('=', parts.Select(part => Quote(Show.Str(part), keepsSlash: false).Replace("%20", "+", StringComparison.Ordinal)))
            : throw JinjaException.Value("not enough values to unpack (expected 2)")));
    }

    private static string Quote(string text, bool keepsSlash)
    {
        var quoted = new StringBuilder();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            _ = char.IsAsciiLetterOrDigit((char)b) || b is (byte)'_' or (byte)'.' or (byte)'-' or (byte)'~' || (keepsSlash && b == '/') ? quoted.Append((char)b) : quoted.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }

        return quoted.ToString();
    }

    private static object Abs(object? value) => value switch
    {
        double real => Math.Abs(real),
        _ when Operators.Whole(value, out BigInteger whole) => BigInteger.Abs(whole),
        _ => throw JinjaException.Type($"bad operand type for abs(): '{Show.TypeOf(value)}'"),
    };

    private static object? Int(object? value, Bound bound)
    {
        object? otherwise = bound.Value(0, BigInteger.Zero);
        if (value is Undefined undefined)
        {
            throw undefined.Fault();
        }

        if (SafeText.Plain(value) is { } text)
        {
            return Whole(text, bound.Int(1, 10)) ?? (Parsed(text) is { } number && double.IsFinite(number) ? new BigInteger(number) : otherwise);
        }

        return Operators.Whole(value, out BigInteger whole) ? whole
            : value is double real ? double.IsFinite(real) ? new BigInteger(real) : double.IsNaN(real) ? otherwise : throw new JinjaException(JinjaException.OverflowKind, "cannot convert float infinity to integer")
            : otherwise;
    }

    private static object? Whole(string text, int radix)
    {
        string digits = PointText.Strip(text, null);
        bool negative = digits.StartsWith('-');
        digits = digits.StartsWith('-') || digits.StartsWith('+') ? digits[1..] : digits;
        foreach ((string prefix, int meant) in ((string, int)[])[("0x", 16), ("0o", 8), ("0b", 2)])
        {
            if ((radix == 0 || radix == meant) && digits.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                (digits, radix) = (digits[2..].StartsWith('_') ? digits[3..] : digits[2..], meant);
                break;
            }
        }

        if (radix == 0)
        {
            radix = digits.StartsWith('0') && digits.Trim('0', '_').Length > 0 ? -1 : 10;
        }

        if (radix < 2 || digits.Length is 0 or > 4300 || digits[0] == '_' || digits[^1] == '_' || digits.Contains("__", StringComparison.Ordinal))
        {
            return null;
        }

        BigInteger value = BigInteger.Zero;
        foreach (Rune rune in digits.EnumerateRunes())
        {
            int digit = PointText.IsDecimal(rune) ? (int)Rune.GetNumericValue(rune) : rune.Value is >= 'a' and <= 'z' ? rune.Value - 'a' + 10 : rune.Value is >= 'A' and <= 'Z' ? rune.Value - 'A' + 10 : -1;
            if (rune.Value != '_' && (digit < 0 || digit >= radix))
            {
                return null;
            }

            value = rune.Value == '_' ? value : (value * radix) + digit;
        }

        return negative ? -value : value;
    }

    private static object? Float(object? value, Bound bound) => value is Undefined undefined ? throw undefined.Fault()
        : Operators.Number(value, out double number) ? number
        : SafeText.Plain(value) is { } text && Parsed(text) is { } parsed ? parsed
        : bound.Value(0, 0.0);

    private static double? Parsed(string text)
    {
        string plain = PointText.Strip(text, null);
        string name = plain.TrimStart('+', '-').ToLowerInvariant();
        if (name is "inf" or "infinity" or "nan" && plain.Length - name.Length <= 1)
        {
            return name == "nan" ? double.NaN : plain[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        }

        bool isSound = plain.Length > 0 && plain.All(c => char.IsAsciiDigit(c) || c is '.' or 'e' or 'E' or '+' or '-' or '_') && !plain.Contains("__", StringComparison.Ordinal)
            && plain[0] != '_' && plain[^1] != '_';
        return isSound && double.TryParse(plain.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : null;
    }

    private static object Round(object? value, Bound bound)
    {
        int precision = bound.Int(0, 0);
        string method = bound.Text(1, "common")!;
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw new JinjaException(JinjaException.ArgumentKind, "method must be common, ceil or floor");
        }

        if (!Operators.Number(value, out double number))
        {
            throw value is Undefined undefined && method != "common" ? undefined.Fault() : JinjaException.Type($"type {Show.TypeOf(value)} doesn't define __round__ method");
        }

        if (method != "common")
        {
            object scale = Operators.Power(new BigInteger(10), new BigInteger(precision));
            Operators.Number(Operators.Multiply(value, scale), out double scaled);
            if (!double.IsFinite(scaled))
            {
                throw new JinjaException(JinjaException.OverflowKind, "cannot convert float infinity to integer");
            }

            return Operators.Divide(new BigInteger(method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)), scale);
        }

        if (value is not double)
        {
            Operators.Whole(value, out BigInteger whole);
            return precision >= 0 ? whole : Nearest(whole, BigInteger.Pow(10, Math.Min(-precision, 10000))) * BigInteger.Pow(10, Math.Min(-precision, 10000));
        }

        return !double.IsFinite(number) || precision > 330 ? number : precision < -330 ? 0.0 : RoundExactly(number, precision);
    }

    // Of the exact value, not of its decimal form: 2.675 is less than it looks.
    private static double RoundExactly(double value, int precision)
    {
        long bits = BitConverter.DoubleToInt64Bits(Math.Abs(value));
        int exponent = (int)(bits >> 52);
        BigInteger numerator = exponent == 0 ? bits : (bits & ((1L << 52) - 1)) | (1L << 52), denominator = BigInteger.One;
        int shift = Math.Max(exponent, 1) - 1075;
        (numerator, denominator) = shift >= 0 ? (numerator << shift, denominator) : (numerator, denominator << -shift);
        (numerator, denominator) = precision >= 0 ? (numerator * BigInteger.Pow(10, precision), denominator) : (numerator, denominator * BigInteger.Pow(10, -precision));
        string text = string.Create(CultureInfo.InvariantCulture, $"{Nearest(numerator, denominator)}E{-precision}");
        return Math.CopySign(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture), value);
    }

    // The nearest whole number, of two the even one.
    private static BigInteger Nearest(BigInteger numerator, BigInteger denominator)
    {
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        int order = (2 * BigInteger.Abs(rest)).CompareTo(denominator);
        return order > 0 || (order == 0 && !quotient.IsEven) ? quotient + (numerator.Sign < 0 ? -1 : 1) : quotient;
    }

    private static string FileSize(object? value, bool binary)
    {
        double bytes = value is Undefined undefined ? throw undefined.Fault()
            : Operators.Number(value, out double number) ? number
            : SafeText.Plain(value) is not { } text ? throw JinjaException.Type($"float() argument must be a string or a real number, not '{Show.TypeOf(value)}'")
            : Parsed(text) ?? throw JinjaException.Value($"could not convert string to float: {Show.Repr(value)}");
        double unit = binary ? 1024 : 1000;
        if (bytes == 1 || bytes < unit)
        {
            return bytes == 1 ? "1 Byte" : $"{Show.Integer(new BigInteger(bytes))} Bytes";
        }

        const string prefixes = "kMGTPEZY";
        int at = 0;
        while (at < prefixes.Length - 1 && bytes >= Math.Pow(unit, at + 2))
        {
            at++;
        }

        double size = unit * bytes / Math.Pow(unit, at + 2);
        return string.Create(CultureInfo.InvariantCulture, $"{size:F1} {(binary ? char.ToUpperInvariant(prefixes[at]) + "i" : prefixes[at].ToString())}B");
    }
}
