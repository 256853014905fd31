using System.Runtime.CompilerServices;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Carries statements out: what they print, and where in it the assistant's parts are.</summary>
/// <param name="names">What the template is given.</param>
/// <param name="now">The time that it sees.</param>
internal sealed class Renderer(IReadOnlyDictionary<string, object?> names, DateTime now) : Evaluator(names, now)
{
    private readonly StringBuilder _root = new();
    private readonly List<(int Start, int End)> _spans = [];
    private readonly Dictionary<string, BlockNode> _blocks = new(StringComparer.Ordinal);
    private readonly Scope _top = new(null);
    private StringBuilder _output = null!;
    private int _rootPoints;
    private bool _hasOutput;

    private enum Jump
    {
        None,
        Break,
        Continue,
    }

    /// <summary>What a template prints, and the spans of its generation blocks in code points. A block before any output has none.</summary>
    /// <exception cref="JinjaException">It fails; its line is known.</exception>
    public (string Text, IReadOnlyList<(int Start, int End)> Spans) Run(IReadOnlyList<Node> body)
    {
        try
        {
            Effort.Begin();
            FindBlocks(body);
            _output = _root;
            Run(body, _top);
            return (_root.ToString(), _spans);
        }
        catch (JinjaException e)
        {
            e.Line = e.Line == 0 ? Line : e.Line;
            throw;
        }
    }

    /// <inheritdoc/>
    public override object Capture(IReadOnlyList<Node> body, Scope scope)
    {
        string text = Captured(() => Run(body, scope));
        return Autoescape ? new SafeText(text) : text;
    }

    /// <inheritdoc/>
    public override object RenderBlock(string name) => _blocks.TryGetValue(name, out BlockNode? block) ? Capture(block.Body, new Scope(_top)) : throw new JinjaException(JinjaException.UndefinedKind, $"there is no block {Show.Repr(name)}");

    private string Captured(Action print)
    {
        StringBuilder outer = _output;
        var inner = new StringBuilder();
        _output = inner;
        try
        {
            print();
        }
        finally
        {
            _output = outer;
        }

        return inner.ToString();
    }

    private void Print(string text)
    {
        Effort.Spend();
        Effort.SpendOn(text);
        Effort.RequireRoom((long)text.Length + _output.Length);
        _output.Append(text);
        if (ReferenceEquals(_output, _root))
        {
            _hasOutput = true;
            _rootPoints += PointText.Length(text);
        }
    }

    private void PrintValue(object? value) => Print(Autoescape ? SafeText.Escape(value).Text : Show.Str(value));

    private Jump Run(IReadOnlyList<Node> body, Scope scope)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw JinjaException.TooDeep();
        }

        foreach (Node node in body)
        {
            Effort.Spend();
            Line = node.Line;
            Jump jump = Run(node, scope);
            if (jump != Jump.None)
            {
                return jump;
            }
        }

        return Jump.None;
    }

    private Jump Run(Node node, Scope scope)
    {
        switch (node)
        {
            case DataNode data:
                Print(data.Text);
                break;
            case OutputNode output:
                foreach (Expression part in output.Parts)
                {
                    PrintValue(Evaluate(part, scope));
                }

                break;
            case IfNode branch:
                return RunIf(branch, scope);
            case ForNode loop:
                return RunFor(loop, scope);
            case SetNode set:
                Assign(set.Target, Evaluate(set.Value, scope), scope);
                break;
            case SetBlockNode block:
                object? value = Capture(block.Body, new Scope(scope));
                Assign(block.Target, ThroughFilters(block.Filter, value, scope), scope);
                break;
            case MacroNode macro:
                scope[macro.Name!] = new Macro(macro, scope);
                break;
            case CallBlockNode call:
                RunCall(call, scope);
                break;
            case FilterBlockNode filter:
                PrintValue(ThroughFilters(filter.Filter, Capture(filter.Body, new Scope(scope)), scope));
                break;
            case WithNode with:
                var inner = new Scope(scope);
                object?[] values = [.. with.Values.Select(one => Evaluate(one.Value, scope))];
                for (int i = 0; i < values.Length; i++)
                {
                    Assign(with.Values[i].Target, values[i], inner);
                }

                return Run(with.Body, inner);
            case AutoescapeNode auto:
                bool before = Autoescape;
                Autoescape = Access.Truth(Evaluate(auto.Value, scope));
                Jump jump = Run(auto.Body, new Scope(scope));
                Autoescape = before;
                return jump;
            case BlockNode block:
                // It sees what stands outside of every statement, and nothing of those around it.
                Run(block.Body, new Scope(_top));
                break;
            case GenerationNode generation:
                RunGeneration(generation, scope);
                break;
            case JumpNode jumped:
                return jumped.IsBreak ? Jump.Break : Jump.Continue;
            case OtherTemplateNode other:
                throw JinjaException.Type($"no loader for this environment specified: '{other.Name}' needs another template");
        }

        return Jump.None;
    }

    private Jump RunIf(IfNode node, Scope scope)
    {
        foreach ((Expression test, IReadOnlyList<Node> body) in node.Branches)
        {
            if (Access.Truth(Evaluate(test, scope)))
            {
                return Run(body, scope);
            }
        }

        return Run(node.Otherwise, scope);
    }

    private Jump RunFor(ForNode node, Scope scope)
    {
        object? elements = Evaluate(node.Elements, scope);
        Line = node.Line;
        if (node.IsRecursive)
        {
            Print(Captured(() => RunLoop(node, elements, scope, depth: 0)));
            return Jump.None;
        }

        return RunLoop(node, elements, scope, depth: 0);
    }

    private Jump RunLoop(ForNode node, object? elements, Scope scope, int depth)
    {
        Effort.SpendOn(elements);
        List<object?> all = [.. Access.Elements(elements).Where(element => node.Test is null || IsWanted(node, element, scope))];
        Func<object?, int, object?>? again = node.IsRecursive ? Again : null;
        var loop = new LoopContext(all, depth, again);
        // As the reference has it: a loop that no round of came to its end is one without elements.
        bool isDone = false;
        for (int i = 0; i < all.Count; i++)
        {
            Effort.Spend();
            loop.Index0 = i;
            var inner = new Scope(scope) { ["loop"] = loop };
            Assign(node.Target, all[i], inner);
            Jump jump = Run(node.Body, inner);
            isDone |= jump == Jump.None;
            if (jump == Jump.Break)
            {
                break;
            }
        }

        return !isDone ? Run(node.Otherwise, new Scope(scope)) : Jump.None;

        object? Again(object? more, int deeper)
        {
            string text = Captured(() => RunLoop(node, more, scope, deeper));
            return Autoescape ? new SafeText(text) : text;
        }
    }

    private bool IsWanted(ForNode node, object? element, Scope scope)
    {
        var inner = new Scope(scope);
        Assign(node.Target, element, inner);
        return Access.Truth(Evaluate(node.Test!, inner));
    }

    private void RunCall(CallBlockNode node, Scope scope)
    {
        object? callee = Evaluate(node.Call.Callee, scope);
        Arguments given = Given(node.Call.Arguments, scope);
        PrintValue(Call(callee, new Arguments(given.Positional, [.. given.Named, ("caller", new Macro(node.Body, scope))])));
    }

    // As the reference has it: the span begins where the output outside of all macros is, and is recorded once there is some.
    private void RunGeneration(GenerationNode node, Scope scope)
    {
        string text = Captured(() => Run(node.Body, new Scope(scope)));
        if (_hasOutput || _spans.Count > 0)
        {
            _spans.Add((_rootPoints, _rootPoints + PointText.Length(text)));
        }

        PrintValue(Autoescape ? new SafeText(text) : text);
    }

    // The innermost filter stands without an operand: it is what the block printed.
    private object? ThroughFilters(Expression? filter, object? value, Scope scope) => filter is not FilterNode node ? value
        : Filtered(node, node.Operand is null ? value : ThroughFilters(node.Operand, value, scope), scope);

    private void Assign(Expression target, object? value, Scope scope)
    {
        switch (target)
        {
            case NameNode name:
                scope[name.Name] = value;
                break;
            case NamespaceNode part:
                JinjaNamespace space = Named(part.Name, scope) as JinjaNamespace ?? throw new JinjaException(JinjaException.RuntimeKind, "cannot assign attribute on non-namespace object");
                space.Items[part.Attribute] = value;
                break;
            case TupleNode tuple:
                if (!Access.IsIterable(value))
                {
                    throw JinjaException.Type($"cannot unpack non-iterable {Show.TypeOf(value)} object");
                }

                object?[] parts = [.. Access.Elements(value).Take(tuple.Items.Count + 1)];
                if (parts.Length != tuple.Items.Count)
                {
                    throw JinjaException.Value(parts.Length > tuple.Items.Count ? $"too many values to unpack (expected {tuple.Items.Count})" : $"not enough values to unpack (expected {tuple.Items.Count}, got {parts.Length})");
                }

                for (int i = 0; i < parts.Length; i++)
                {
                    Assign(tuple.Items[i], parts[i], scope);
                }

                break;
        }
    }

    private void FindBlocks(IReadOnlyList<Node> body)
    {
        foreach (Node node in body)
        {
            switch (node)
            {
                case BlockNode block:
                    _blocks[block.Name] = block;
                    FindBlocks(block.Body);
                    break;
                case IfNode branch:
                    foreach ((_, IReadOnlyList<Node> inner) in branch.Branches)
                    {
                        FindBlocks(inner);
                    }

                    FindBlocks(branch.Otherwise);
                    break;
                case ForNode loop:
                    FindBlocks(loop.Body);
                    FindBlocks(loop.Otherwise);
                    break;
            }
        }
    }
}
