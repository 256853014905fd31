namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>
/// Reads expressions. From the loosest: <c>if else</c>, <c>or</c>, <c>and</c>, <c>not</c>, comparisons, <c>+ -</c>, <c>~</c>, <c>* / // %</c>, <c>**</c>, signs, then filters
/// and tests, then attributes, items and calls.
/// </summary>
internal abstract class ExpressionParser(List<Token> tokens) : OperandParser(tokens)
{
    private static readonly string[] s_compare = ["==", "!=", "<", "<=", ">", ">="];

    /// <summary>One expression, or a tuple of several without parentheses.</summary>
    /// <param name="condition">Whether it may have an <c>if</c>.</param>
    /// <param name="end">A name that ends it, besides the ends of tags.</param>
    protected Expression Tuple(bool condition = true, string? end = null) => Tuple(() => Expression(condition), end, inParentheses: false);

    /// <inheritdoc/>
    protected override Expression Expression(bool condition = true)
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

    private Expression ConditionalExpression(int links = 0)
    {
        RequireShort(links);
        int line = Current.Line, filters = Conditional;
        // Whether there is an "if" after it is not known yet.
        Conditional += Conditional == 0 && HasIf() ? 1 : 0;
        Expression expression = Or();
        while (TakeName("if"))
        {
            Expression test = Or(), then = expression;
            expression = new ConditionalNode(line, test, then, TakeName("else") ? ConditionalExpression(links + 1) : null);
        }

        Conditional = filters;
        return expression;
    }

    private Expression Or() => Chain(And, () => TakeName("or") ? "or" : null);

    private Expression And() => Chain(() => Not(), () => TakeName("and") ? "and" : null);

    private Expression Not(int links = 0)
    {
        RequireShort(links);
        RequireStack();
        int line = Current.Line;
        return TakeName("not") ? new UnaryNode(line, "not", Not(links + 1)) : Compare();
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

    private Expression Unary(bool filters, int links = 0)
    {
        RequireShort(links);
        RequireStack();
        int line = Current.Line;
        Expression expression = SignOf("-", "+") is { } sign ? new UnaryNode(line, sign, Unary(filters: false, links + 1)) : Primary(allowsNamespace: false);
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
}
