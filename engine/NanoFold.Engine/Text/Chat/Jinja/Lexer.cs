using System.Globalization;
using System.Numerics;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    /// <summary>Text of the template.</summary>
    Data,

    /// <summary>Two braces.</summary>
    PrintBegin,

    PrintEnd,

    /// <summary>A brace and a percent sign.</summary>
    BlockBegin,

    BlockEnd,

    Name,

    Text,

    Number,

    /// <summary>A sign, such as <c>|</c> or <c>==</c>.</summary>
    Sign,

    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A token of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its name, sign or text.</param>
/// <param name="Line">Where it stands, from 1.</param>
/// <param name="Value">Of a number.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Line, object? Value = null)
{
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public bool IsSign(string sign) => Kind == TokenKind.Sign && Text == sign;

    public override string ToString() => Kind switch
    {
        TokenKind.End => "end of template",
        TokenKind.BlockEnd => "end of statement block",
        TokenKind.PrintEnd => "end of print statement",
        _ => Text,
    };
}

/// <summary>
/// Cuts a template into tokens, in one pass. White space: <c>-</c> takes all of it, a block or a comment that is the first thing on its line the blanks before
/// it (lstrip_blocks) and the line break after it (trim_blocks); <c>+</c> switches that off.
/// </summary>
internal sealed class Lexer
{
    private static readonly string[] s_signs = ["//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private readonly Stack<char> _open = new();
    private int _at;
    private int _line = 1;
    private bool _startsLine = true;

    private Lexer(string source) => _source = source;

    /// <summary>The tokens of a template, the last one of which is its end.</summary>
    /// <exception cref="JinjaException">It cannot be cut.</exception>
    public static List<Token> Cut(string source)
    {
        string text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        var lexer = new Lexer(text.EndsWith('\n') ? text[..^1] : text);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            int begin = FindBegin(_at);
            if (begin < 0)
            {
                AddData(_source[_at..]);
                _at = _source.Length;
                break;
            }

            char kind = _source[begin + 1];
            char sign = begin + 2 < _source.Length && _source[begin + 2] is '-' or '+' ? _source[begin + 2] : '\0';
            TakeText(begin, sign, stripsBlanks: kind != '{');
            _at = begin + (sign == '\0' ? 2 : 3);
            _startsLine = false;
            if (kind == '#')
            {
                Comment();
            }
            else if (kind == '%' && RawLength() is > 0 and var length)
            {
                Skip(length);
                Raw();
            }
            else
            {
                _tokens.Add(new Token(kind == '%' ? TokenKind.BlockBegin : TokenKind.PrintBegin, _source.Substring(begin, 2), _line));
                Inside(kind == '%');
            }
        }

        _tokens.Add(new Token(TokenKind.End, "", _line));
    }

    private int FindBegin(int from)
    {
        for (int at = from; (at = _source.IndexOf('{', at)) >= 0 && at + 1 < _source.Length; at++)
        {
            if (_source[at + 1] is '{' or '%' or '#')
            {
                return at;
            }
        }

        return -1;
    }

    // What stands before a tag, as far as it is kept.
    private void TakeText(int end, char sign, bool stripsBlanks)
    {
        string text = _source[_at..end], kept = text;
        if (sign == '-')
        {
            kept = PointText.Strip(text, null, left: false);
        }
        else if (sign != '+' && stripsBlanks)
        {
            int start = text.LastIndexOf('\n') + 1;
            if ((start > 0 || _startsLine) && text.Skip(start).All(PointText.IsSpace))
            {
                kept = text[..start];
            }
        }

        AddData(kept);
        CountLines(text.AsSpan(kept.Length));
    }

    private void AddData(string text)
    {
        if (text.Length > 0)
        {
            _tokens.Add(new Token(TokenKind.Data, text, _line));
            CountLines(text);
        }
    }

    private void Comment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw JinjaException.Syntax(_line, "Missing end of comment tag");
        }

        char sign = end > _at ? _source[end - 1] : '\0';
        CountLines(_source.AsSpan(_at, end - _at));
        _at = end + 2;
        AfterBlock(sign);
    }

    // After "%}" or "#}" with a sign before it: a line break, or all white space.
    private void AfterBlock(char sign)
    {
        int from = _at;
        if (sign == '-')
        {
            while (_at < _source.Length && PointText.IsSpace(_source[_at]))
            {
                _at++;
            }
        }
        else if (sign != '+' && _at < _source.Length && _source[_at] == '\n')
        {
            _at++;
        }

        CountLines(_source.AsSpan(from, _at - from));
        _startsLine = _at > from && _source[_at - 1] == '\n';
    }

    // The length of "raw %}" where that comes next.
    private int RawLength()
    {
        int at = AfterSpace(_at);
        if (!_source.AsSpan(at).StartsWith("raw"))
        {
            return 0;
        }

        at = AfterSpace(at + 3);
        return _source.AsSpan(at).StartsWith("-%}") ? AfterSpace(at + 3) - _at : _source.AsSpan(at).StartsWith("%}") ? at + 2 - _at : 0;
    }

    private void Raw()
    {
        for (int at = _at; (at = _source.IndexOf("{%", at, StringComparison.Ordinal)) >= 0; at += 2)
        {
            char sign = at + 2 < _source.Length && _source[at + 2] is '-' or '+' ? _source[at + 2] : '\0';
            int name = AfterSpace(at + (sign == '\0' ? 2 : 3));
            if (!_source.AsSpan(name).StartsWith("endraw"))
            {
                continue;
            }

            int end = AfterSpace(name + 6);
            char last = end < _source.Length && _source[end] is '-' or '+' ? _source[end] : '\0';
            end += last == '\0' ? 0 : 1;
            if (_source.AsSpan(end).StartsWith("%}"))
            {
                TakeText(at, sign, stripsBlanks: true);
                CountLines(_source.AsSpan(at, end - at));
                _at = end + 2;
                AfterBlock(last);
                return;
            }
        }

        throw JinjaException.Syntax(_line, "Missing end of raw directive");
    }

    // The tokens of a tag, up to its end.
    private void Inside(bool isBlock)
    {
        while (_at < _source.Length)
        {
            if (_open.Count == 0 && EndsTag(isBlock))
            {
                return;
            }

            char c = _source[_at];
            if (PointText.IsSpace(c))
            {
                Skip(1);
            }
            else if (char.IsAsciiDigit(c))
            {
                NumberToken();
            }
            else if (c is '\'' or '"')
            {
                TextToken(c);
            }
            else if (c == '_' || char.IsLetterOrDigit(c) || char.IsSurrogate(c))
            {
                NameToken();
            }
            else
            {
                SignToken();
            }
        }
    }

    private bool EndsTag(bool isBlock)
    {
        ReadOnlySpan<char> rest = _source.AsSpan(_at);
        char sign = rest[0] == '-' || (isBlock && rest[0] == '+') ? rest[0] : '\0';
        if (!rest[(sign == '\0' ? 0 : 1)..].StartsWith(isBlock ? "%}" : "}}"))
        {
            return false;
        }

        _tokens.Add(new Token(isBlock ? TokenKind.BlockEnd : TokenKind.PrintEnd, isBlock ? "%}" : "}}", _line));
        _at += sign == '\0' ? 2 : 3;
        AfterBlock(isBlock || sign == '-' ? sign : '+');
        return true;
    }

    private void SignToken()
    {
        string? sign = Array.Find(s_signs, one => _source.AsSpan(_at).StartsWith(one, StringComparison.Ordinal));
        if (sign is null)
        {
            throw Unexpected();
        }

        if (sign is "(" or "[" or "{")
        {
            _open.Push(sign[0] switch { '(' => ')', '[' => ']', _ => '}' });
        }
        else if (sign is ")" or "]" or "}")
        {
            if (!_open.TryPop(out char expected))
            {
                throw JinjaException.Syntax(_line, $"unexpected '{sign}'");
            }

            if (expected != sign[0])
            {
                throw JinjaException.Syntax(_line, $"unexpected '{sign}', expected '{expected}'");
            }
        }

        _tokens.Add(new Token(TokenKind.Sign, sign, _line));
        _at += sign.Length;
    }

    private void NameToken()
    {
        int from = _at;
        while (_at < _source.Length && (_source[_at] == '_' || char.IsLetterOrDigit(_source[_at]) || char.IsSurrogate(_source[_at]) || char.GetUnicodeCategory(_source[_at]) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark))
        {
            _at++;
        }

        string name = _source[from.._at];
        _tokens.Add(PointText.IsIdentifier(name) ? new Token(TokenKind.Name, name, _line) : throw JinjaException.Syntax(_line, "Invalid character in identifier"));
    }

    private void NumberToken()
    {
        bool afterPoint = _at > 0 && _source[_at - 1] == '.';
        int digits = Digits(_at, char.IsAsciiDigit), end = digits;
        if (!afterPoint && digits > _at)
        {
            int fraction = end < _source.Length && _source[end] == '.' ? Digits(end + 1, char.IsAsciiDigit) : end + 1;
            end = fraction > end + 1 ? fraction : end;
            if (end < _source.Length && _source[end] is 'e' or 'E')
            {
                int exponent = end + 1 < _source.Length && _source[end + 1] is '+' or '-' ? end + 2 : end + 1;
                int last = Digits(exponent, char.IsAsciiDigit);
                end = last > exponent ? last : end;
            }
        }

        if (end > digits)
        {
            Add(end, double.Parse(_source[_at..end].Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture));
            return;
        }

        (int radix, Func<char, bool> belongs) = _at + 1 >= _source.Length || _source[_at] != '0' ? (10, char.IsAsciiDigit) : char.ToLowerInvariant(_source[_at + 1]) switch
        {
            'x' => (16, char.IsAsciiHexDigit),
            'o' => (8, c => c is >= '0' and <= '7'),
            'b' => (2, c => c is '0' or '1'),
            _ => (10, (Func<char, bool>)(c => c == '0')),
        };
        int start = radix == 10 ? _at : _at + 2;
        if (radix != 10 && start < _source.Length && _source[start] == '_')
        {
            start++;
        }

        end = Digits(start, belongs);
        if (end == start && radix != 10)
        {
            // A zero, and a name that follows it.
            (start, end, radix) = (_at, _at + 1, 10);
        }

        BigInteger value = BigInteger.Zero;
        foreach (char c in _source.AsSpan(start, end - start))
        {
            value = c == '_' ? value : (value * radix) + Convert.ToInt32(c.ToString(), 16);
        }

        Add(end, value);

        void Add(int to, object number)
        {
            _tokens.Add(new Token(TokenKind.Number, _source[_at..to], _line, number));
            _at = to;
        }
    }

    // Where digits end, between which single underscores may stand.
    private int Digits(int from, Func<char, bool> belongs)
    {
        int at = from;
        while (at < _source.Length && (belongs(_source[at]) || (_source[at] == '_' && at > from && _source[at - 1] != '_' && at + 1 < _source.Length && belongs(_source[at + 1]))))
        {
            at++;
        }

        return at;
    }

    private void TextToken(char quote)
    {
        int end = _at + 1;
        while (end < _source.Length && _source[end] != quote)
        {
            end += _source[end] == '\\' ? 2 : 1;
        }

        if (end >= _source.Length)
        {
            throw Unexpected();
        }

        string raw = _source[(_at + 1)..end];
        _tokens.Add(new Token(TokenKind.Text, raw.Contains('\\') ? Unescaped(raw) : raw, _line));
        Skip(end + 1 - _at);
    }

    private string Unescaped(string raw)
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
                        throw JinjaException.Syntax(_line, $"truncated \\{kind} escape");
                    }

                    text.Append(point < 0x10000 ? ((char)point).ToString() : char.ConvertFromUtf32(point));
                    i += digits;
                    break;
                case 'N':
                    throw JinjaException.Syntax(_line, "\\N: names of characters in texts are not supported", JinjaException.UnsupportedKind);
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

    private int AfterSpace(int at)
    {
        while (at < _source.Length && PointText.IsSpace(_source[at]))
        {
            at++;
        }

        return Math.Min(at, _source.Length);
    }

    private void Skip(int count)
    {
        CountLines(_source.AsSpan(_at, count));
        _at += count;
    }

    private void CountLines(ReadOnlySpan<char> text) => _line += text.Count('\n');

    private JinjaException Unexpected() => JinjaException.Syntax(_line, $"unexpected char {Show.Repr(_source[_at].ToString())} at {PointText.Length(_source.AsSpan(0, _at))}");
}
