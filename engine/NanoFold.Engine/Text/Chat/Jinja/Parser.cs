namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Reads the statements of a template.</summary>
internal sealed class Parser(List<Token> tokens) : ExpressionParser(tokens)
{
    private readonly HashSet<string> _blocks = [];
    private readonly Stack<(string[] Ends, string Tag)> _tags = new();
    private int _loops;

    /// <summary>The statements of a template.</summary>
    /// <exception cref="JinjaException">It cannot be read.</exception>
    public static IReadOnlyList<Node> Parse(string source) => new Parser(Lexer.Cut(source)).Body();

    // Up to one of the tags that end it, whose name is the next token then.
    private List<Node> Body(params string[] ends)
    {
        RequireStack();
        var body = new List<Node>();
        for (; ; )
        {
            Token token = Take();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new DataNode(token.Line, token.Text));
                    break;
                case TokenKind.PrintBegin:
                    body.Add(new OutputNode(token.Line, [Tuple()]));
                    Expect(TokenKind.PrintEnd, "end of print statement");
                    break;
                case TokenKind.BlockBegin:
                    if (Current.Kind == TokenKind.Name && ends.Contains(Current.Text))
                    {
                        return body;
                    }

                    body.Add(Statement());
                    Expect(TokenKind.BlockEnd, "end of statement block");
                    break;
                default:
                    return ends.Length == 0 ? body : throw Fault($"Unexpected end of template. {Missing()}");
            }
        }
    }

    // What stands between a tag and those that end it.
    private List<Node> Inside(string tag, params string[] ends)
    {
        TakeSign(":");
        Expect(TokenKind.BlockEnd, "end of statement block");
        _tags.Push((ends, tag));
        List<Node> body = Body(ends);
        _tags.Pop();
        return body;
    }

    // The same, the end taken.
    private List<Node> Whole(string tag)
    {
        List<Node> body = Inside(tag, $"end{tag}");
        Take();
        return body;
    }

    private Node Statement()
    {
        Token token = Expect(TokenKind.Name, "name");
        int line = token.Line;
        switch (token.Text)
        {
            case "set":
                return Set(line);
            case "for":
                return For(line);
            case "if":
                return If(line);
            case "macro":
                return Macro(line);
            case "call":
                return Call(line);
            case "filter":
                Expression filter = Filters(null, startsInline: true)!;
                return new FilterBlockNode(line, filter, Whole("filter"));
            case "with":
                return With(line);
            case "autoescape":
                Expression value = Expression();
                return new AutoescapeNode(line, value, Whole("autoescape"));
            case "block":
                return Block(line);
            case "print":
                return Print(line);
            case "generation":
                return new GenerationNode(line, Apart(() => Whole("generation")));
            case "break" or "continue":
                return _loops > 0 ? new JumpNode(line, token.Text == "break") : throw JinjaException.Syntax(line, $"'{token.Text}' outside loop", "SyntaxError");
            case "include" or "import" or "from" or "extends":
                while (Current.Kind is not (TokenKind.BlockEnd or TokenKind.End))
                {
                    Take();
                }

                return new OtherTemplateNode(line, token.Text);
            default:
                throw JinjaException.Syntax(line, $"Encountered unknown tag '{token.Text}'. {Missing()}".TrimEnd());
        }
    }

    private string Missing() => _tags.Count == 0 ? ""
        : $"Jinja was looking for the following tags: {string.Join(" or ", _tags.Peek().Ends.Select(end => $"'{end}'"))}. The innermost block that needs to be closed is '{_tags.Peek().Tag}'.";

    private Node Set(int line)
    {
        Expression target = Target(allowsNamespace: true);
        if (TakeSign("="))
        {
            return new SetNode(line, target, Tuple());
        }

        Expression? filter = Filters(null, startsInline: false);
        return new SetBlockNode(line, target, filter, Whole("set"));
    }

    private ForNode For(int line)
    {
        Expression target = Target(allowsNamespace: false, end: "in");
        if (Names(target).Contains("loop"))
        {
            throw JinjaException.Syntax(line, "Can't assign to special loop variable in for-loop target", JinjaException.AssertionKind);
        }

        if (!TakeName("in"))
        {
            throw Fault($"expected token 'in', got '{Current}'");
        }

        Expression elements = Tuple(condition: false, end: "recursive");
        Expression? test = TakeName("if") ? Expression() : null;
        bool isRecursive = TakeName("recursive");
        int conditional = Conditional;
        Conditional = 0;
        _loops++;
        List<Node> body = Inside("for", "endfor", "else");
        _loops--;
        List<Node> otherwise = Take().Text == "else" ? Whole("for") : [];
        Conditional = conditional;
        return new ForNode(line, target, elements, test, isRecursive, body, otherwise);
    }

    private static IEnumerable<string> Names(Expression target) => target switch
    {
        NameNode name => [name.Name],
        TupleNode tuple => tuple.Items.SelectMany(Names),
        _ => [],
    };

    private IfNode If(int line)
    {
        var branches = new List<(Expression, IReadOnlyList<Node>)>();
        List<Node> otherwise = [];
        Conditional++;
        for (string tag = "elif"; tag == "elif";)
        {
            Expression test = Tuple(condition: false);
            branches.Add((test, Inside("if", "elif", "else", "endif")));
            tag = Take().Text;
            if (tag == "else")
            {
                otherwise = Whole("if");
            }
        }

        Conditional--;
        return new IfNode(line, branches, otherwise);
    }

    private MacroNode Macro(int line)
    {
        string name = ExpectName();
        (List<string> parameters, List<Expression> defaults) = Signature();
        return MacroBody(line, name, parameters, defaults, "macro");
    }

    private CallBlockNode Call(int line)
    {
        (List<string> parameters, List<Expression> defaults) = Current.IsSign("(") ? Signature() : ([], []);
        return Expression() is CallNode call
            ? new CallBlockNode(line, call, MacroBody(line, null, parameters, defaults, "call"))
            : throw JinjaException.Syntax(line, "expected call");
    }

    private MacroNode MacroBody(int line, string? name, List<string> parameters, List<Expression> defaults, string tag)
    {
        var names = new HashSet<string>();
        NamesInside.Add(names);
        List<Node> body = Apart(() => Whole(tag));
        NamesInside.RemoveAt(NamesInside.Count - 1);
        return new MacroNode(line, name, parameters, defaults, body, names);
    }

    private (List<string> Parameters, List<Expression> Defaults) Signature()
    {
        List<string> parameters = [];
        List<Expression> defaults = [];
        ExpectSign("(");
        while (!Current.IsSign(")"))
        {
            if (parameters.Count > 0)
            {
                ExpectSign(",");
            }

            parameters.Add(ExpectName());
            if (TakeSign("="))
            {
                defaults.Add(Expression());
            }
            else if (defaults.Count > 0)
            {
                throw Fault("non-default argument follows default argument");
            }
        }

        ExpectSign(")");
        return (parameters, defaults);
    }

    private WithNode With(int line)
    {
        var values = new List<(Expression, Expression)>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (values.Count > 0)
            {
                ExpectSign(",");
            }

            Expression target = Target(allowsNamespace: false);
            ExpectSign("=");
            values.Add((target, Expression()));
        }

        return new WithNode(line, values, Whole("with"));
    }

    private BlockNode Block(int line)
    {
        string name = ExpectName();
        TakeName("scoped");
        TakeName("required");
        if (!_blocks.Add(name))
        {
            throw JinjaException.Syntax(line, $"block '{name}' defined twice", JinjaException.AssertionKind);
        }

        List<Node> body = Apart(() => Whole("block"));
        TakeName(name);
        return new BlockNode(line, name, body);
    }

    private OutputNode Print(int line)
    {
        var parts = new List<Expression>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (parts.Count > 0)
            {
                ExpectSign(",");
            }

            parts.Add(Expression());
        }

        return new OutputNode(line, parts);
    }

    // Of a body that no loop around it can be left from.
    private List<Node> Apart(Func<List<Node>> body)
    {
        (int loops, int conditional) = (_loops, Conditional);
        (_loops, Conditional) = (0, 0);
        List<Node> result = body();
        (_loops, Conditional) = (loops, conditional);
        return result;
    }
}
