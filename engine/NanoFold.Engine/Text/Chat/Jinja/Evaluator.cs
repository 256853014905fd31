using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Names and their values; one that is not there is looked for around.</summary>
internal sealed class Scope(Scope? around)
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

    public object? this[string name]
    {
        set => _values[name] = value;
    }

    public bool TryGet(string name, out object? value)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Around)
        {
            if (scope._values.TryGetValue(name, out value))
            {
                return true;
            }
        }

        value = null;
        return false;
    }

    private Scope? Around { get; } = around;
}

/// <summary>Computes expressions. What a template does is counted and bounded.</summary>
/// <param name="names">What the template is given.</param>
/// <param name="now">The time that it sees.</param>
internal abstract class Evaluator(IReadOnlyDictionary<string, object?> names, DateTime now)
{
    /// <summary>The line that is being worked on.</summary>
    protected int Line { get; set; }

    /// <summary>The time that the template sees.</summary>
    public DateTime Now { get; } = now;

    /// <summary>Whether what is printed is escaped.</summary>
    public bool Autoescape { get; protected set; }

    /// <summary>What statements print, which is not printed yet.</summary>
    public abstract object Capture(IReadOnlyList<Node> body, Scope scope);

    /// <summary>What a block prints.</summary>
    public abstract object RenderBlock(string name);

    /// <summary>The value of an expression.</summary>
    public object? Evaluate(Expression expression, Scope scope)
    {
        Effort.Spend();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw JinjaException.TooDeep();
        }

        Line = expression.Line;
        switch (expression)
        {
            case ConstantNode constant:
                return constant.Value;
            case NameNode name:
                return Named(name.Name, scope);
            case AttributeNode attribute:
                object? owner = Evaluate(attribute.Owner, scope);
                Line = expression.Line;
                return Access.Attribute(owner, attribute.Name);
            case ItemNode { Key: SliceNode slice } sliced:
                owner = Evaluate(sliced.Owner, scope);
                (object? start, object? stop, object? step) = (Part(slice.Start), Part(slice.Stop), Part(slice.Step));
                // What has no parts is an error, but not where it is known before.
                return IsConstant(sliced.Owner) && owner is null or bool or BigInteger or double ? new Undefined($"{Access.OwnerOf(owner)} has no element slice") : Measured(Access.Slice(owner, start, stop, step));
            case ItemNode item:
                owner = Evaluate(item.Owner, scope);
                return Access.Item(owner, Evaluate(item.Key, scope));
            case BinaryNode { Sign: "and" or "or" } either:
                object? left = Evaluate(either.Left, scope);
                return Access.Truth(left) == (either.Sign == "or") ? left : Evaluate(either.Right, scope);
            case BinaryNode binary:
                left = Evaluate(binary.Left, scope);
                object? right = Evaluate(binary.Right, scope);
                Line = expression.Line;
                return Measured(Compute(binary.Sign, left, right));
            case UnaryNode unary:
                object? operand = Evaluate(unary.Operand, scope);
                return unary.Sign switch { "not" => !Access.Truth(operand), "-" => Operators.Negate(operand), _ => Operators.Plus(operand) };
            case ConcatNode concat:
                return Measured(Concatenated([.. concat.Parts.Select(part => Evaluate(part, scope))]));
            case CompareNode compare:
                return Compared(compare, scope);
            case ConditionalNode conditional:
                return Access.Truth(Evaluate(conditional.Test, scope)) ? Evaluate(conditional.Then, scope)
                    : conditional.Otherwise is { } otherwise ? Evaluate(otherwise, scope)
                    : new Undefined("the inline if-expression evaluated to false and no else section was defined.");
            case FilterNode filter:
                operand = Evaluate(filter.Operand!, scope);
                return Filtered(filter, operand, scope);
            case TestNode test:
                operand = Evaluate(test.Operand, scope);
                Arguments asked = Given(test.Arguments, scope);
                Line = expression.Line;
                return ApplyTest(test.Name, operand, asked);
            case CallNode call:
                object? callee = Evaluate(call.Callee, scope);
                Arguments given = Given(call.Arguments, scope);
                Line = expression.Line;
                return Call(callee, given);
            case TupleNode tuple:
                return new JinjaTuple([.. tuple.Items.Select(item => Evaluate(item, scope))]);
            case ListNode list:
                return list.Items.Select(item => Evaluate(item, scope)).ToList();
            case DictNode dict:
                return Globals.DictOf(null, dict.Items.Select(item => (Evaluate(item.Key, scope), Evaluate(item.Value, scope))));
            default:
                throw new JinjaException("SyntaxError", "a slice cannot stand here");
        }

        object? Part(Expression? part) => part is null ? null : Evaluate(part, scope);
    }

    /// <summary>A value after a filter.</summary>
    public object? ApplyFilter(string name, object? value, Arguments arguments)
    {
        Effort.Spend();
        Effort.SpendOn(value);
        return JinjaFilters.All.TryGetValue(name, out Filter? filter) ? Measured(filter(this, value, arguments))
            : throw (JinjaFilters.Others.Contains(name) ? JinjaException.Unsupported($"the filter '{name}'") : new JinjaException(JinjaException.RuntimeKind, $"No filter named '{name}'."));
    }

    /// <summary>The answer of a test.</summary>
    public bool ApplyTest(string name, object? value, Arguments arguments)
    {
        Effort.Spend();
        Effort.SpendOn(value);
        return JinjaTests.All.TryGetValue(name, out Func<object?, Arguments, bool>? test) ? test(value, arguments) : throw new JinjaException(JinjaException.RuntimeKind, $"No test named '{name}'.");
    }

    private static bool IsConstant(Expression expression) => expression switch
    {
        ConstantNode => true,
        UnaryNode unary => IsConstant(unary.Operand),
        BinaryNode binary => IsConstant(binary.Left) && IsConstant(binary.Right),
        _ => false,
    };

    /// <summary>A value after the filter of a node.</summary>
    protected object? Filtered(FilterNode filter, object? value, Scope scope)
    {
        Arguments given = Given(filter.Arguments, scope);
        Line = filter.Line;
        return ApplyFilter(filter.Name, value, given);
    }

    /// <summary>What a call gives.</summary>
    protected object? Call(object? callee, Arguments arguments) => callee switch
    {
        Undefined undefined => throw undefined.Fault(),
        ICallable callable => Measured(callable.Call(this, arguments)),
        _ => throw JinjaException.Type($"'{Show.TypeOf(callee)}' object is not callable"),
    };

    /// <summary>What a name stands for.</summary>
    protected object? Named(string name, Scope scope) => scope.TryGet(name, out object? value) || names.TryGetValue(name, out value) || Globals.All.TryGetValue(name, out value) ? value
        : name == "self" ? new TemplateReference()
        : Undefined.Name(name);

    /// <summary>The values of arguments.</summary>
    protected Arguments Given(CallArguments arguments, Scope scope)
    {
        if (arguments is { Positional.Count: 0, Named.Count: 0, List: null, Dict: null })
        {
            return Arguments.None;
        }

        List<object?> positional = [.. arguments.Positional.Select(one => MeasuredText(Evaluate(one, scope)))];
        List<(string Name, object? Value)> named = [.. arguments.Named.Select(one => (one.Name, MeasuredText(Evaluate(one.Value, scope))))];
        if (arguments.List is { } list)
        {
            positional.AddRange(Access.Elements(Evaluate(list, scope)));
        }

        if (arguments.Dict is { } more)
        {
            JinjaDict dict = Evaluate(more, scope) as JinjaDict ?? throw JinjaException.Type("argument after ** must be a mapping");
            foreach ((object? key, object? value) in dict.Items)
            {
                string name = SafeText.Plain(key) ?? throw JinjaException.Type("keywords must be strings");
                named.Add(named.Exists(one => one.Name == name) ? throw JinjaException.Type($"got multiple values for keyword argument '{name}'") : (name, value));
            }
        }

        return new Arguments(positional, named);
    }

    private static object? Compute(string sign, object? left, object? right) => sign switch
    {
        "+" => Operators.Add(left, right),
        "-" => Operators.Subtract(left, right),
        "*" => Operators.Multiply(left, right),
        "/" => Operators.Divide(left, right),
        "//" => Operators.FloorDivide(left, right),
        "%" => Operators.Modulo(left, right),
        _ => Operators.Power(left, right),
    };

    private object Concatenated(object?[] parts)
    {
        bool isSafe = Autoescape && Array.Exists(parts, part => part is SafeText);
        string[] texts = [.. parts.Select(part => isSafe ? SafeText.Escape(part).Text : Show.Str(part))];
        Effort.RequireRoom(texts.Sum(text => (long)text.Length));
        return isSafe ? new SafeText(string.Concat(texts)) : string.Concat(texts);
    }

    private bool Compared(CompareNode compare, Scope scope)
    {
        object? left = Evaluate(compare.First, scope);
        foreach ((string sign, Expression operand) in compare.Rest)
        {
            object? right = Evaluate(operand, scope);
            Line = compare.Line;
            bool holds = sign switch
            {
                "==" => Operators.Equal(left, right),
                "!=" => !Operators.Equal(left, right),
                "in" => Access.Contains(right, left),
                "not in" => !Access.Contains(right, left),
                _ => Operators.IsOrdered(sign, left, right),
            };
            if (!holds)
            {
                return false;
            }

            left = right;
        }

        return true;
    }

    // A text that is handed over is gone through.
    private static object? MeasuredText(object? value) => value is string or SafeText ? Measured(value) : value;

    // Long values are work too.
    private static object? Measured(object? value)
    {
        Effort.SpendOn(value);
        return value;
    }
}
