using System.Runtime.CompilerServices;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>
/// Reads expressions. From the loosest: <c>if else</c>, <c>or</c>, <c>and</c>, <c>not</c>, comparisons, <c>+ -</c>, <c>~</c>, <c>* / // %</c>, <c>**</c>, signs, then filters
/// and tests, then attributes, items and calls.
/// </summary>
internal class ExpressionParser(List<Token> tokens)
{
    private const int MostLinks = 1000;

    private static readonly string[] s_compare = ["==", "!=", "<", "<=", ">", ">="];
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

    /// <summary>One expression, or a tuple of several without parentheses.</summary>
    /// <param name="condition">Whether it may have an <c>if</c>.</param>
    /// <param name="end">A name that ends it, besides the ends of tags.</param>
    protected Expression Tuple(bool condition = true, string? end = null) => Tuple(() => Expression(condition), end, inParentheses: false);

    protected Expression Expression(bool condition = true)
    {
        RequireStack();
        return condition ? ConditionalExpression() : Or();
    }

    /// <summary>What a value can be given to: names, or parts of a namespace.</summary>
    protected Expression Target(bool allowsNamespace, string? end = null)
    {
        Expression target = Tuple(() => Primary(allowsNamespace, isTarget: true), end, inParentheses: false);
        RequireTarget(target);
        return target;
    }

    /// <summary>Filters after each other, the first without its sign where it is that of a block.</summary>
    protected Expression? Filters(Expression? operand, bool startsInline)
    {
        while (startsInline || Current.IsSign("|"))
        {
            if (!startsInline)
            {
                Take();
            }

            startsInline = false;
            int line = Current.Line;
            string name = DottedName();
            RequireKnown(JinjaFilters.All.ContainsKey(name), JinjaFilters.Others.Contains(name), "filter", name, line);
            operand = new FilterNode(line, operand, name, Current.IsSign("(") ? Arguments() : CallArguments.None);
        }

        return operand;
    }

    private Expression Tuple(Func<Expression> one, string? end, bool inParentheses)
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

    private Expression ConditionalExpression()
    {
        int line = Current.Line, filters = Conditional;
        // Whether there is an "if" after it is not known yet.
        Conditional += HasIf() ? 1 : 0;
        Expression expression = Or();
        while (TakeName("if"))
        {
            Expression test = Or(), then = expression;
            expression = new ConditionalNode(line, test, then, TakeName("else") ? ConditionalExpression() : null);
        }

        Conditional = filters;
        return expression;
    }

    // Looks on to the end of the tag, in the same parentheses.
    private bool HasIf()
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

    private Expression Or() => Chain(And, () => TakeName("or") ? "or" : null);

    private Expression And() => Chain(Not, () => TakeName("and") ? "and" : null);

    private Expression Not()
    {
        RequireStack();
        int line = Current.Line;
        return TakeName("not") ? new UnaryNode(line, "not", Not()) : Compare();
    }

    private Expression Compare()
    {
        int line = Current.Line;
        Expression first = Sum();
        var rest = new List<(string, Expression)>();
        for (; ; )
        {
            if (Current.Kind == TokenKind.Sign && Array.IndexOf(s_compare, Current.Text) >= 0)
            {
                rest.Add((Take().Text, Sum()));
            }
            else if (TakeName("in"))
            {
                rest.Add(("in", Sum()));
            }
            else if (Current.IsName("not") && Next.IsName("in"))
            {
                Take();
                Take();
                rest.Add(("not in", Sum()));
            }
            else
            {
                return rest.Count == 0 ? first : new CompareNode(line, first, rest);
            }
        }
    }

    private Expression Sum() => Chain(Concat, () => SignOf("+", "-"));

    private Expression Concat()
    {
        int line = Current.Line;
        List<Expression> parts = [Product()];
        while (TakeSign("~"))
        {
            parts.Add(Product());
        }

        return parts.Count == 1 ? parts[0] : new ConcatNode(line, parts);
    }

    private Expression Product() => Chain(Power, () => SignOf("*", "/", "//", "%"));

    private Expression Power() => Chain(() => Unary(filters: true), () => SignOf("**"));

    private string? SignOf(params ReadOnlySpan<string> signs) => Current.Kind == TokenKind.Sign && signs.Contains(Current.Text) ? Take().Text : null;

    private Expression Chain(Func<Expression> one, Func<string?> sign)
    {
        int line = Current.Line;
        Expression left = one();
        for (int links = 0; sign() is { } found; links++)
        {
            left = new BinaryNode(line, found, left, one());
            RequireShort(links);
        }

        return left;
    }

    private Expression Unary(bool filters)
    {
        RequireStack();
        int line = Current.Line;
        Expression expression = SignOf("-", "+") is { } sign ? new UnaryNode(line, sign, Unary(filters: false)) : Primary(allowsNamespace: false);
        expression = Postfix(expression);
        return filters ? FiltersAndTests(expression) : expression;
    }

    private Expression FiltersAndTests(Expression expression)
    {
        for (int links = 0; ; links++)
        {
            RequireShort(links);
            if (Current.IsSign("|"))
            {
                expression = Filters(expression, startsInline: false)!;
            }
            else if (Current.IsName("is"))
            {
                expression = Test(expression);
            }
            else if (Current.IsSign("("))
            {
                expression = new CallNode(Current.Line, expression, Arguments());
            }
            else
            {
                return expression;
            }
        }
    }

    private Expression Postfix(Expression expression)
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

    private TestNode WithArguments(int line, Expression operand, string name)
    {
        if (Current.IsSign("("))
        {
            return new TestNode(line, operand, name, Arguments());
        }

        bool hasArgument = Current.Kind is TokenKind.Text or TokenKind.Number || Current.IsSign("[") || Current.IsSign("{")
            || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and"));
        if (!hasArgument)
        {
            return new TestNode(line, operand, name, CallArguments.None);
        }

        return Current.IsName("is") ? throw Fault("You cannot chain multiple tests with is")
            : new TestNode(line, operand, name, CallArguments.None with { Positional = [Postfix(Primary(allowsNamespace: false))] });
    }

    private Expression Test(Expression operand)
    {
        int line = Take().Line;
        bool negated = TakeName("not");
        int named = Current.Line;
        string name = DottedName();
        RequireKnown(JinjaTests.All.ContainsKey(name), isOther: false, "test", name, named);
        TestNode test = WithArguments(line, operand, name);
        return negated ? new UnaryNode(line, "not", test) : test;
    }

    private string DottedName()
    {
        string name = ExpectName();
        while (TakeSign("."))
        {
            name += "." + ExpectName();
        }

        return name;
    }

    private void RequireKnown(bool isKnown, bool isOther, string what, string name, int line)
    {
        if (isOther)
        {
            throw JinjaException.Syntax(line, $"the {what} '{name}' is not supported", JinjaException.UnsupportedKind);
        }

        if (!isKnown && Conditional == 0)
        {
            throw JinjaException.Syntax(line, $"No {what} named '{name}'.", JinjaException.AssertionKind);
        }
    }

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

    private Expression Primary(bool allowsNamespace, bool isTarget = false)
    {
        Token token = Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return NameOrConstant(token, allowsNamespace, isTarget);
            case TokenKind.Text:
                string text = token.Text;
                while (Current.Kind == TokenKind.Text)
                {
                    text += Take().Text;
                }

                return new ConstantNode(token.Line, text);
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

    private static void RequireTarget(Expression target)
    {
        switch (target)
        {
            case NameNode or NamespaceNode:
                break;
            case TupleNode tuple:
                foreach (Expression item in tuple.Items)
                {
                    RequireTarget(item);
                }

                break;
            default:
                throw JinjaException.Syntax(target.Line, $"can't assign to '{(target is ConstantNode ? "const" : "expression")}'");
        }
    }

    // What is read is gone through by recursion later.
    private void RequireShort(int links)
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
