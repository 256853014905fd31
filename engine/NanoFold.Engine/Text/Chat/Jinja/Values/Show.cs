using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>How values look as text: as Python's <c>str</c> and <c>repr</c>.</summary>
internal static class Show
{
    private const int MostDigits = 4300;

    /// <summary>As it is printed.</summary>
    public static string Str(object? value) => value switch
    {
        string text => text,
        SafeText safe => safe.Text,
        Undefined => "",
        _ => Repr(value),
    };

    /// <summary>As it stands in a list.</summary>
    public static string Repr(object? value)
    {
        var text = new StringBuilder();
        Repr(value, text);
        return text.ToString();
    }

    /// <summary>The name of its type.</summary>
    public static string TypeOf(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        BigInteger => "int",
        double => "float",
        string => "str",
        SafeText => "Markup",
        List<object?> => "list",
        GroupTuple => "_GroupTuple",
        JinjaTuple => "tuple",
        JinjaDict => "dict",
        DictView view => $"dict_{view.Kind}",
        JinjaRange => "range",
        JinjaIterator iterator => iterator.Kind,
        JinjaNamespace => "Namespace",
        JinjaBytes => "bytes",
        Undefined => "Undefined",
        Macro => "Macro",
        LoopContext => "LoopContext",
        JinjaFunction function => function.IsMethod ? "builtin_function_or_method" : "function",
        TemplateReference => "TemplateReference",
        Cycler => "Cycler",
        Joiner => "Joiner",
        _ => value.GetType().Name,
    };

    /// <summary>The shortest decimal number that is read as the same, written as Python does.</summary>
    public static string Real(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        (bool negative, string digits, int point) = Shortest(value);
        string sign = negative ? "-" : "";
        if (point is <= -4 or > 16)
        {
            int exponent = point - 1;
            string rest = digits.Length > 1 ? $".{digits[1..]}" : "";
            return string.Create(CultureInfo.InvariantCulture, $"{sign}{digits[0]}{rest}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }

        return point <= 0 ? $"{sign}0.{new string('0', -point)}{digits}"
            : point >= digits.Length ? $"{sign}{digits}{new string('0', point - digits.Length)}.0"
            : $"{sign}{digits[..point]}.{digits[point..]}";
    }

    /// <summary>A text in quotes.</summary>
    public static string Quoted(string value)
    {
        char quote = value.Contains('\'') && !value.Contains('"') ? '"' : '\'';
        var text = new StringBuilder();
        text.Append(quote);
        for (int i = 0; i < value.Length; i++)
        {
            char c = value[i];
            bool pair = char.IsHighSurrogate(c) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]);
            int point = pair ? char.ConvertToUtf32(c, value[i + 1]) : c;
            if (c == quote || c == '\\')
            {
                text.Append('\\').Append(c);
            }
            else if (c is '\n' or '\r' or '\t')
            {
                text.Append('\\').Append(c switch { '\n' => 'n', '\r' => 'r', _ => 't' });
            }
            else if (IsPrintable(point))
            {
                text.Append(value, i, pair ? 2 : 1);
            }
            else
            {
                text.Append(Escape(point));
            }

            i += pair ? 1 : 0;
        }

        return text.Append(quote).ToString();
    }

    /// <summary>A character by its number.</summary>
    public static string Escape(int point)
        => string.Create(CultureInfo.InvariantCulture, $"\\{(point <= 0xFF ? 'x' : point <= 0xFFFF ? 'u' : 'U')}{point.ToString(point <= 0xFF ? "x2" : point <= 0xFFFF ? "x4" : "x8", CultureInfo.InvariantCulture)}");

    /// <summary>Whether a character is shown as it is.</summary>
    public static bool IsPrintable(int point) => point == ' ' || CharUnicodeInfo.GetUnicodeCategory(point) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    public static string Integer(BigInteger value)
    {
        string text = value.GetBitLength() < 4 * MostDigits ? value.ToString(CultureInfo.InvariantCulture) : "";
        return text.Length is > 0 and <= MostDigits + 1 ? text : throw JinjaException.Value($"a whole number has more than {MostDigits} digits");
    }

    // Sign, digits, and where the point stands: 0.digits times 10^point.
    private static (bool Negative, string Digits, int Point) Shortest(double value)
    {
        string shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int e = shortest.IndexOf('E');
        string mantissa = e < 0 ? shortest : shortest[..e];
        int exponent = e < 0 ? 0 : int.Parse(shortest.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        int dot = mantissa.IndexOf('.');
        int point = (dot < 0 ? mantissa.Length : dot) + exponent;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimStart('0').Length;
        digits = digits[zeros..].TrimEnd('0');
        return digits.Length == 0 ? (double.IsNegative(value), "0", 1) : (double.IsNegative(value), digits, point - zeros);
    }

    private static void Repr(object? value, StringBuilder text)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw JinjaException.TooDeep();
        }

        Effort.Spend();
        Effort.RequireRoom(text.Length);
        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool flag:
                text.Append(flag ? "True" : "False");
                break;
            case BigInteger number:
                text.Append(Integer(number));
                break;
            case double real:
                text.Append(Real(real));
                break;
            case string plain:
                Effort.SpendOn(plain);
                text.Append(Quoted(plain));
                break;
            case SafeText safe:
                Effort.SpendOn(safe);
                text.Append("Markup(").Append(Quoted(safe.Text)).Append(')');
                break;
            case List<object?> list:
                Elements(list, "[", "]", text);
                break;
            case JinjaTuple tuple:
                Elements(tuple.Items, "(", tuple.Items.Length == 1 ? ",)" : ")", text);
                break;
            case JinjaDict dict:
                Dict(dict, text);
                break;
            case DictView view:
                Elements(view.Elements, $"dict_{view.Kind}([", "])", text);
                break;
            case JinjaRange range:
                text.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                text.Append(range.Step.IsOne ? ")" : $", {Integer(range.Step)})");
                break;
            case JinjaNamespace space:
                text.Append("<Namespace ");
                Dict(space.Items, text);
                text.Append('>');
                break;
            case JinjaBytes bytes:
                Bytes(bytes.Bytes, text);
                break;
            case Macro macro:
                text.Append(CultureInfo.InvariantCulture, $"<Macro {(macro.Name is { } name ? Quoted(name) : "anonymous")}>");
                break;
            case LoopContext loop:
                text.Append(CultureInfo.InvariantCulture, $"<LoopContext {loop.Index0 + 1}/{loop.Length}>");
                break;
            case TemplateReference:
                text.Append("<TemplateReference None>");
                break;
            case Undefined:
                text.Append("Undefined");
                break;
            case JinjaFunction function:
                text.Append(CultureInfo.InvariantCulture, $"<function {function.Name}>");
                break;
            default:
                text.Append(CultureInfo.InvariantCulture, $"<{TypeOf(value)} object>");
                break;
        }
    }

    private static void Elements(IEnumerable<object?> elements, string open, string close, StringBuilder text)
    {
        text.Append(open);
        bool isFirst = true;
        foreach (object? element in elements)
        {
            text.Append(isFirst ? "" : ", ");
            Repr(element, text);
            isFirst = false;
        }

        text.Append(close);
    }

    private static void Dict(JinjaDict dict, StringBuilder text)
    {
        text.Append('{');
        bool isFirst = true;
        foreach ((object? key, object? value) in dict.Items)
        {
            text.Append(isFirst ? "" : ", ");
            Repr(key, text);
            text.Append(": ");
            Repr(value, text);
            isFirst = false;
        }

        text.Append('}');
    }

    private static void Bytes(byte[] bytes, StringBuilder text)
    {
        char quote = bytes.Contains((byte)'\'') && !bytes.Contains((byte)'"') ? '"' : '\'';
        text.Append('b').Append(quote);
        foreach (byte b in bytes)
        {
            _ = b switch
            {
                (byte)'\n' => text.Append("\\n"),
                (byte)'\r' => text.Append("\\r"),
                (byte)'\t' => text.Append("\\t"),
                _ when b == quote || b == '\\' => text.Append('\\').Append((char)b),
                >= 0x20 and < 0x7F => text.Append((char)b),
                _ => text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}"),
            };
        }

        text.Append(quote);
    }
}
