using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Values as JSON (<c>tojson</c>), written as Python's <c>json.dumps</c> writes them, and read.</summary>
internal sealed class JinjaJson
{
    private readonly StringBuilder _text = new();
    private readonly bool _ascii, _sorted;
    private readonly string? _indent;
    private readonly string _comma, _colon;

    private JinjaJson(bool ascii, string? indent, string comma, string colon, bool sorted) => (_ascii, _indent, _comma, _colon, _sorted) = (ascii, indent, comma, colon, sorted);

    /// <summary>The filter.</summary>
    public static string Filter(object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        object? given = bound.Value(1);
        string? indent = given is null ? null : SafeText.Plain(given) ?? new string(' ', Math.Clamp(bound.Int(1, 0), 0, 100));
        object?[] separators = bound.Value(2) is { } pair ? [.. Access.Elements(pair)] : [indent is null ? ", " : ",", ": "];
        if (separators is not [string comma, string colon])
        {
            throw JinjaException.Value("separators are two texts");
        }

        var json = new JinjaJson(bound.Flag(0, false), indent, comma, colon, bound.Flag(3, false));
        json.Write(value, "\n");
        return json._text.ToString();
    }

    /// <summary>A value of JSON as one of a template.</summary>
    public static object? Read(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var dict = new JinjaDict();
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    dict[property.Name] = Read(property.Value);
                }

                return dict;
            case JsonValueKind.Array:
                return element.EnumerateArray().Select(Read).ToList();
            case JsonValueKind.String:
                return element.GetString();
            case JsonValueKind.Number:
                string number = element.GetRawText();
                return number.AsSpan().IndexOfAny('.', 'e', 'E') < 0 && number.Length < 4300
                    ? BigInteger.Parse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)
                    : double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
            case JsonValueKind.True or JsonValueKind.False:
                return element.GetBoolean();
            default:
                return null;
        }
    }

    private void Write(object? value, string line)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw JinjaException.TooDeep();
        }

        Effort.Spend();
        Effort.RequireRoom(_text.Length);
        switch (value)
        {
            case string or SafeText:
                WriteText(SafeText.Plain(value)!);
                break;
            case null or bool or BigInteger or double:
                _text.Append(Scalar(value));
                break;
            case List<object?> or JinjaTuple:
                WriteAll([.. Access.Elements(value)], '[', ']', line, Write);
                break;
            case JinjaDict dict:
                IEnumerable<object?> items = dict.Items.Select(item => (object?)new JinjaTuple(item.Key, item.Value));
                WriteAll(_sorted ? Operators.Sorted(items, item => ((JinjaTuple)item!).Items[0], reverse: false) : [.. items], '{', '}', line, WriteItem);
                break;
            default:
                throw JinjaException.Type($"Object of type {Show.TypeOf(value)} is not JSON serializable");
        }
    }

    private void WriteItem(object? item, string line)
    {
        object?[] pair = ((JinjaTuple)item!).Items;
        WriteText(pair[0] switch
        {
            string or SafeText => SafeText.Plain(pair[0])!,
            null or bool or BigInteger or double => Scalar(pair[0]),
            _ => throw JinjaException.Type($"keys must be str, int, float, bool or None, not {Show.TypeOf(pair[0])}"),
        });
        _text.Append(_colon);
        Write(pair[1], line);
    }

    private void WriteAll(List<object?> elements, char open, char close, string line, Action<object?, string> write)
    {
        _text.Append(open);
        string inner = _indent is null ? "" : line + _indent;
        for (int i = 0; i < elements.Count; i++)
        {
            _text.Append(i > 0 ? _comma : "").Append(inner);
            write(elements[i], inner);
        }

        _text.Append(_indent is null || elements.Count == 0 ? "" : line).Append(close);
    }

    private static string Scalar(object? value) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        double real => double.IsNaN(real) ? "NaN" : double.IsInfinity(real) ? (real > 0 ? "Infinity" : "-Infinity") : Show.Real(real),
        _ => Show.Integer((BigInteger)value),
    };

    private void WriteText(string text)
    {
        Effort.SpendOn(text);
        _text.Append('"');
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' or '\\' => _text.Append('\\').Append(c),
                '\n' => _text.Append("\\n"),
                '\r' => _text.Append("\\r"),
                '\t' => _text.Append("\\t"),
                '\b' => _text.Append("\\b"),
                '\f' => _text.Append("\\f"),
                _ when c < ' ' || (_ascii && c > '~') => _text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => _text.Append(c),
            };
        }

        _text.Append('"');
    }
}
