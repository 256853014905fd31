using System.Globalization;

namespace NanoFold.Engine.Text.Chat.Jinja;

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
        (int end, object value) = Literals.Number(_source, _at, _line);
        _tokens.Add(new Token(TokenKind.Number, _source[_at..end], _line, value));
        _at = end;
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
        _tokens.Add(new Token(TokenKind.Text, raw.Contains('\\') ? Literals.Unescaped(raw, _line) : raw, _line));
        Skip(end + 1 - _at);
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
