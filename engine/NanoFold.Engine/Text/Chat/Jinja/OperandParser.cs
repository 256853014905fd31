using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Reads what operators stand between: names, constants, lists, with the attributes, items and calls after them.</summary>
internal abstract class OperandParser(List<Token> tokens) : TokenReader(tokens)
{
    /// <summary>An expression of any kind.</summary>
    /// <param name="condition">Whether it may have an <c>if</c>.</param>
    protected abstract Expression Expression(bool condition = true);

    /// <summary>One expression, or several with commas between them.</summary>
    protected Expression Tuple(Func<Expression> one, string? end, bool inParentheses)
    {
        int line = Current.Line;
        var items = new List<Expression>();
        bool isTuple = false;
        while (!EndsTuple(end))
        {
            items.Add(one());
            if (!Current.IsSign(","))
            {
                break;
            }

            Take();
            isTuple = true;
        }

        return isTuple || (items.Count == 0 && inParentheses) ? new TupleNode(line, items)
            : items.Count > 0 ? items[0]
            : throw Fault($"Expected an expression, got '{Current}'");
    }

    private bool EndsTuple(string? end) => Current.Kind is TokenKind.PrintEnd or TokenKind.BlockEnd || Current.IsSign(")") || (end is not null && Current.IsName(end));

    /// <summary>With the attributes, items and calls after it.</summary>
    protected Expression Postfix(Expression expression)
    {
        for (int links = 0; ; links++)
        {
            RequireShort(links);
            int line = Current.Line;
            if (TakeSign("."))
            {
                Token part = Take();
                expression = part.Kind == TokenKind.Name ? new AttributeNode(line, expression, part.Text)
                    : part is { Kind: TokenKind.Number, Value: not double } ? new ItemNode(line, expression, new ConstantNode(line, part.Value))
                    : throw JinjaException.Syntax(part.Line, "expected name or number");
            }
            else if (TakeSign("["))
            {
                expression = new ItemNode(line, expression, Subscript(line));
            }
            else if (Current.IsSign("("))
            {
                expression = new CallNode(line, expression, Arguments());
            }
            else
            {
                return expression;
            }
        }
    }

    private Expression Subscript(int line)
    {
        var parts = new List<Expression>();
        while (!Current.IsSign("]"))
        {
            if (parts.Count > 0)
            {
                ExpectSign(",");
            }

            parts.Add(Slice());
        }

        ExpectSign("]");
        return parts.Count == 1 ? parts[0] : new TupleNode(line, parts);
    }

    private Expression Slice()
    {
        int line = Current.Line;
        Expression? start = Current.IsSign(":") ? null : Expression();
        if (!TakeSign(":"))
        {
            return start!;
        }

        Expression? stop = Current.IsSign(":") || EndsSlice() ? null : Expression();
        Expression? step = TakeSign(":") && !EndsSlice() ? Expression() : null;
        return new SliceNode(line, start, stop, step);
    }

    private bool EndsSlice() => Current.IsSign("]") || Current.IsSign(",");

    /// <summary>What stands in the parentheses of a call.</summary>
    protected CallArguments Arguments()
    {
        int line = Current.Line;
        ExpectSign("(");
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        Expression? list = null, dict = null;
        bool needsComma = false;
        while (!Current.IsSign(")"))
        {
            if (needsComma)
            {
                ExpectSign(",");
                if (Current.IsSign(")"))
                {
                    break;
                }
            }

            if (Current.IsSign("*"))
            {
                Ensure(list is null && dict is null);
                Take();
                list = Expression();
            }
            else if (Current.IsSign("**"))
            {
                Ensure(dict is null);
                Take();
                dict = Expression();
            }
            else if (Current.Kind == TokenKind.Name && Next.IsSign("="))
            {
                Ensure(dict is null);
                string name = Take().Text;
                Take();
                if (named.Exists(one => one.Item1 == name))
                {
                    throw JinjaException.Syntax(line, $"keyword argument repeated: {name}", "SyntaxError");
                }

                named.Add((name, Expression()));
            }
            else
            {
                Ensure(list is null && dict is null && named.Count == 0);
                positional.Add(Expression());
            }

            needsComma = true;
        }

        ExpectSign(")");
        return new CallArguments(positional, named, list, dict);

        void Ensure(bool isFine)
        {
            if (!isFine)
            {
                throw JinjaException.Syntax(line, "invalid syntax for function call expression");
            }
        }
    }

    /// <summary>A name, a constant, or what stands in parentheses.</summary>
    /// <param name="allowsNamespace">Whether a part of a namespace may be meant, to which a value is given.</param>
    /// <param name="isTarget">Whether a value is given to it.</param>
    protected Expression Primary(bool allowsNamespace, bool isTarget = false)
    {
        Token token = Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return NameOrConstant(token, allowsNamespace, isTarget);
            case TokenKind.Text:
                var text = new StringBuilder(token.Text);
                while (Current.Kind == TokenKind.Text)
                {
                    text.Append(Take().Text);
                }

                return new ConstantNode(token.Line, text.ToString());
            case TokenKind.Number:
                return new ConstantNode(token.Line, token.Value);
            case TokenKind.Sign when token.Text == "(":
                Expression inner = Tuple(() => Expression(), end: null, inParentheses: true);
                ExpectSign(")");
                return inner;
            case TokenKind.Sign when token.Text == "[":
                var items = new List<Expression>();
                Items("]", () => items.Add(Expression()));
                return new ListNode(token.Line, items);
            case TokenKind.Sign when token.Text == "{":
                var pairs = new List<(Expression, Expression)>();
                Items("}", () =>
                {
                    Expression key = Expression();
                    ExpectSign(":");
                    pairs.Add((key, Expression()));
                });
                return new DictNode(token.Line, pairs);
            default:
                throw JinjaException.Syntax(token.Line, $"unexpected '{token}'");
        }
    }

    private Expression NameOrConstant(Token token, bool allowsNamespace, bool isTarget)
    {
        switch (token.Text)
        {
            case "true" or "True" or "false" or "False":
                return new ConstantNode(token.Line, token.Text is "true" or "True");
            case "none" or "None":
                return new ConstantNode(token.Line, null);
            default:
                if (allowsNamespace && TakeSign("."))
                {
                    NamesInside.ForEach(names => names.Add(token.Text));
                    return new NamespaceNode(token.Line, token.Text, ExpectName());
                }

                if (!isTarget)
                {
                    NamesInside.ForEach(names => names.Add(token.Text));
                }

                return new NameNode(token.Line, token.Text);
        }
    }

    private void Items(string close, Action one)
    {
        for (bool isFirst = true; !Current.IsSign(close); isFirst = false)
        {
            if (!isFirst)
            {
                ExpectSign(",");
                if (Current.IsSign(close))
                {
                    break;
                }
            }

            one();
        }

        ExpectSign(close);
    }
}
