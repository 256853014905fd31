namespace NanoFold.Engine.Text.Chat.Jinja;

// An expression or a statement is a record; its line is where it stands, from 1.

internal abstract record Node(int Line);

internal abstract record Expression(int Line) : Node(Line);

internal sealed record ConstantNode(int Line, object? Value) : Expression(Line);

internal sealed record NameNode(int Line, string Name) : Expression(Line);

/// <summary><c>a.b</c>, to which a value is given.</summary>
internal sealed record NamespaceNode(int Line, string Name, string Attribute) : Expression(Line);

internal sealed record TupleNode(int Line, IReadOnlyList<Expression> Items) : Expression(Line);

internal sealed record ListNode(int Line, IReadOnlyList<Expression> Items) : Expression(Line);

internal sealed record DictNode(int Line, IReadOnlyList<(Expression Key, Expression Value)> Items) : Expression(Line);

internal sealed record AttributeNode(int Line, Expression Owner, string Name) : Expression(Line);

internal sealed record ItemNode(int Line, Expression Owner, Expression Key) : Expression(Line);

internal sealed record SliceNode(int Line, Expression? Start, Expression? Stop, Expression? Step) : Expression(Line);

/// <summary>What stands in the parentheses of a call.</summary>
internal sealed record CallArguments(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named, Expression? List, Expression? Dict)
{
    public static CallArguments None { get; } = new([], [], null, null);
}

internal sealed record CallNode(int Line, Expression Callee, CallArguments Arguments) : Expression(Line);

/// <summary>A filter; its operand is null where it is the text of a block.</summary>
internal sealed record FilterNode(int Line, Expression? Operand, string Name, CallArguments Arguments) : Expression(Line);

internal sealed record TestNode(int Line, Expression Operand, string Name, CallArguments Arguments) : Expression(Line);

internal sealed record BinaryNode(int Line, string Sign, Expression Left, Expression Right) : Expression(Line);

internal sealed record UnaryNode(int Line, string Sign, Expression Operand) : Expression(Line);

internal sealed record ConcatNode(int Line, IReadOnlyList<Expression> Parts) : Expression(Line);

internal sealed record CompareNode(int Line, Expression First, IReadOnlyList<(string Sign, Expression Operand)> Rest) : Expression(Line);

internal sealed record ConditionalNode(int Line, Expression Test, Expression Then, Expression? Otherwise) : Expression(Line);

internal sealed record OutputNode(int Line, IReadOnlyList<Expression> Parts) : Node(Line);

/// <summary>Text of the template.</summary>
internal sealed record DataNode(int Line, string Text) : Node(Line);

internal sealed record IfNode(int Line, IReadOnlyList<(Expression Test, IReadOnlyList<Node> Body)> Branches, IReadOnlyList<Node> Otherwise) : Node(Line);

internal sealed record ForNode(int Line, Expression Target, Expression Elements, Expression? Test, bool IsRecursive, IReadOnlyList<Node> Body, IReadOnlyList<Node> Otherwise) : Node(Line);

internal sealed record SetNode(int Line, Expression Target, Expression Value) : Node(Line);

internal sealed record SetBlockNode(int Line, Expression Target, Expression? Filter, IReadOnlyList<Node> Body) : Node(Line);

internal sealed record MacroNode(int Line, string? Name, IReadOnlyList<string> Parameters, IReadOnlyList<Expression> Defaults, IReadOnlyList<Node> Body, IReadOnlySet<string> Names) : Node(Line)
{
    /// <summary>Whether its body names something.</summary>
    public bool Uses(string name) => Names.Contains(name);
}

internal sealed record CallBlockNode(int Line, CallNode Call, MacroNode Body) : Node(Line);

internal sealed record FilterBlockNode(int Line, Expression Filter, IReadOnlyList<Node> Body) : Node(Line);

internal sealed record WithNode(int Line, IReadOnlyList<(Expression Target, Expression Value)> Values, IReadOnlyList<Node> Body) : Node(Line);

internal sealed record AutoescapeNode(int Line, Expression Value, IReadOnlyList<Node> Body) : Node(Line);

internal sealed record BlockNode(int Line, string Name, IReadOnlyList<Node> Body) : Node(Line);

/// <summary>What the assistant writes.</summary>
internal sealed record GenerationNode(int Line, IReadOnlyList<Node> Body) : Node(Line);

internal sealed record JumpNode(int Line, bool IsBreak) : Node(Line);

/// <summary>A statement that needs other templates.</summary>
internal sealed record OtherTemplateNode(int Line, string Name) : Node(Line);
