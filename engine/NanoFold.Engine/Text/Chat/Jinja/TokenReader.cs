using System.Runtime.CompilerServices;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Goes through the tokens of a template.</summary>
internal abstract class TokenReader(List<Token> tokens)
{
    /// <summary>Operators that stand in a row at most.</summary>
    protected const int MostLinks = 1000;

    private int _at;

    /// <summary>Names that macros around what is read use; the innermost last.</summary>
    protected List<HashSet<string>> NamesInside { get; } = [];

    /// <summary>Within a condition an unknown filter is an error only when it is reached.</summary>
    protected int Conditional { get; set; }

    protected Token Current => tokens[_at];

    protected Token Next => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    protected Token Take()
    {
        Token token = Current;
        _at = Math.Min(_at + 1, tokens.Count - 1);
        return token;
    }

    protected bool TakeName(string name)
    {
        bool isThere = Current.IsName(name);
        if (isThere)
        {
            Take();
        }

        return isThere;
    }

    protected bool TakeSign(string sign)
    {
        bool isThere = Current.IsSign(sign);
        if (isThere)
        {
            Take();
        }

        return isThere;
    }

    protected Token Expect(TokenKind kind, string what) => Current.Kind == kind ? Take() : throw Fault($"expected token '{what}', got '{Current}'");

    protected string ExpectName() => Expect(TokenKind.Name, "name").Text;

    protected void ExpectSign(string sign)
    {
        if (!TakeSign(sign))
        {
            throw Fault($"expected token '{sign}', got '{Current}'");
        }
    }

    protected JinjaException Fault(string message, string kind = JinjaException.SyntaxKind) => JinjaException.Syntax(Current.Line, message, kind);

    /// <summary>Whether an <c>if</c> comes before the end of the tag, in the same parentheses.</summary>
    protected bool HasIf()
    {
        int depth = 0;
        for (int at = _at; at < tokens.Count && at < _at + MostLinks; at++)
        {
            Token token = tokens[at];
            if (token.Kind is TokenKind.PrintEnd or TokenKind.BlockEnd or TokenKind.End)
            {
                return false;
            }

            depth += token.IsSign("(") || token.IsSign("[") || token.IsSign("{") ? 1 : token.IsSign(")") || token.IsSign("]") || token.IsSign("}") ? -1 : 0;
            if (depth < 0 || (depth == 0 && token.IsName("if")))
            {
                return depth == 0;
            }
        }

        return false;
    }

    /// <summary>Throws where there are too many operators in a row: what is read is gone through by recursion later.</summary>
    protected void RequireShort(int links)
    {
        if (links > MostLinks)
        {
            throw Fault($"more than {MostLinks} operators in a row", JinjaException.LimitKind);
        }
    }

    /// <summary>Throws where what is read is nested too deeply.</summary>
    protected void RequireStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Fault("is nested too deeply", JinjaException.LimitKind);
        }
    }
}
