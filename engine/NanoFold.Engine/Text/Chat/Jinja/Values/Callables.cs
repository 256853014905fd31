using System.Numerics;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>What a call is given.</summary>
internal sealed record Arguments(IReadOnlyList<object?> Positional, IReadOnlyList<(string Name, object? Value)> Named)
{
    public static Arguments None { get; } = new([], []);

    /// <summary>The same without the first ones.</summary>
    public Arguments Skip(int count) => new([.. Positional.Skip(count)], Named);

    /// <summary>Each parameter's value.</summary>
    /// <param name="function">Its name, for messages.</param>
    /// <param name="required">How many of the parameters must be given.</param>
    /// <param name="parameters">Their names.</param>
    public Bound Bind(string function, int required, params string[] parameters)
    {
        if (Positional.Count > parameters.Length)
        {
            throw JinjaException.Type($"{function}() takes {parameters.Length} arguments but {Positional.Count} were given");
        }

        var values = new object?[parameters.Length];
        Array.Fill(values, Bound.Missing);
        for (int i = 0; i < Positional.Count; i++)
        {
            values[i] = Positional[i];
        }

        foreach ((string name, object? value) in Named)
        {
            int at = Array.IndexOf(parameters, name);
            if (at < 0)
            {
                throw JinjaException.Type($"{function}() got an unexpected keyword argument '{name}'");
            }

            values[at] = ReferenceEquals(values[at], Bound.Missing) ? value : throw JinjaException.Type($"{function}() got multiple values for argument '{name}'");
        }

        int missing = Array.FindIndex(values, 0, required, value => ReferenceEquals(value, Bound.Missing));
        return missing < 0 ? new Bound(values) : throw JinjaException.Type($"{function}() missing 1 required positional argument: '{parameters[missing]}'");
    }
}

/// <summary>Values of parameters.</summary>
internal sealed class Bound(object?[] values)
{
    /// <summary>In place of what was not given.</summary>
    public static readonly object Missing = new();

    public bool Has(int i) => !ReferenceEquals(values[i], Missing);

    public object? Value(int i, object? otherwise = null) => Has(i) ? values[i] : otherwise;

    /// <summary>A whole number; none counts as not given.</summary>
    public int Int(int i, int otherwise) => Value(i) switch
    {
        null => otherwise,
        Undefined undefined => throw undefined.Fault(),
        var value when Operators.Whole(value, out BigInteger whole) => (int)BigInteger.Max(int.MinValue, BigInteger.Min(int.MaxValue, whole)),
        var value => throw JinjaException.Type($"'{Show.TypeOf(value)}' object cannot be interpreted as an integer"),
    };

    public bool Flag(int i, bool otherwise) => Has(i) ? Access.Truth(values[i]) : otherwise;

    /// <summary>A text; none counts as not given.</summary>
    public string? Text(int i, string? otherwise) => Value(i) is not { } value ? otherwise : SafeText.Plain(value) ?? throw JinjaException.Type($"expected a str, got '{Show.TypeOf(value)}'");
}

/// <summary>What can be called.</summary>
internal interface ICallable
{
    object? Call(Evaluator evaluator, Arguments arguments);
}

/// <summary>A function of the language.</summary>
/// <param name="name">What it is called.</param>
/// <param name="body">What it does.</param>
internal sealed class JinjaFunction(string name, Func<Evaluator, Arguments, object?> body) : ICallable
{
    public string Name { get; } = name;

    /// <summary>Whether it belongs to a value.</summary>
    public bool IsMethod { get; init; }

    public object? Call(Evaluator evaluator, Arguments arguments) => body(evaluator, arguments);
}

/// <summary>A macro, or the body of a call block.</summary>
/// <param name="node">As it is written.</param>
/// <param name="closure">Where it was written.</param>
internal sealed class Macro(MacroNode node, Scope closure) : ICallable
{
    private const string Varargs = "varargs", Kwargs = "kwargs", Caller = "caller";

    public string? Name => node.Name;

    public MacroNode Node => node;

    public object? Call(Evaluator evaluator, Arguments arguments)
    {
        var scope = new Scope(closure);
        List<(string Name, object? Value)> named = [.. arguments.Named];
        int given = Math.Min(arguments.Positional.Count, node.Parameters.Count);
        var values = new object?[node.Parameters.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = i < given ? arguments.Positional[i] : Take(named, node.Parameters[i], Bound.Missing);
        }

        bool takesCaller = node.Uses(Caller) && !node.Parameters.Contains(Caller);
        object? caller = takesCaller ? Take(named, Caller, null) ?? new Undefined("No caller defined") : null;
        if (!node.Uses(Kwargs) && named.Count > 0)
        {
            throw JinjaException.Type($"macro {Show.Repr(node.Name)} takes no keyword argument {Show.Repr(named[0].Name)}");
        }

        if (!node.Uses(Varargs) && arguments.Positional.Count > node.Parameters.Count)
        {
            throw JinjaException.Type($"macro {Show.Repr(node.Name)} takes not more than {node.Parameters.Count} argument(s)");
        }

        if (takesCaller)
        {
            scope[Caller] = caller;
        }

        if (node.Uses(Kwargs))
        {
            var rest = new JinjaDict();
            named.ForEach(one => rest[one.Name] = one.Value);
            scope[Kwargs] = rest;
        }

        if (node.Uses(Varargs))
        {
            scope[Varargs] = new JinjaTuple([.. arguments.Positional.Skip(node.Parameters.Count)]);
        }

        int defaults = node.Parameters.Count - node.Defaults.Count;
        for (int i = 0; i < values.Length; i++)
        {
            scope[node.Parameters[i]] = !ReferenceEquals(values[i], Bound.Missing) ? values[i]
                : i >= defaults ? evaluator.Evaluate(node.Defaults[i - defaults], scope)
                : new Undefined($"parameter {Show.Repr(node.Parameters[i])} was not provided");
        }

        return evaluator.Capture(node.Body, scope);
    }

    private static object? Take(List<(string Name, object? Value)> named, string name, object? otherwise)
    {
        int at = named.FindIndex(one => one.Name == name);
        if (at < 0)
        {
            return otherwise;
        }

        object? value = named[at].Value;
        named.RemoveAt(at);
        return value;
    }
}

/// <summary><c>loop</c> inside a <c>for</c>.</summary>
/// <param name="elements">All that it goes over.</param>
/// <param name="depth0">How many loops of the same kind it stands in.</param>
/// <param name="recurse">Goes over others in the same way; null where it is not recursive.</param>
internal sealed class LoopContext(IReadOnlyList<object?> elements, int depth0, Func<object?, int, object?>? recurse) : ICallable
{
    private object? _changed = Bound.Missing;

    public int Index0 { get; set; }

    public int Length => elements.Count;

    /// <summary>What a name stands for; false where there is no such.</summary>
    public bool TryGet(string name, out object? value)
    {
        (bool isThere, value) = name switch
        {
            "index" => (true, Number(Index0 + 1)),
            "index0" => (true, Number(Index0)),
            "revindex" => (true, Number(Length - Index0)),
            "revindex0" => (true, Number(Length - Index0 - 1)),
            "first" => (true, Index0 == 0),
            "last" => (true, Index0 == Length - 1),
            "length" => (true, Number(Length)),
            "depth" => (true, Number(depth0 + 1)),
            "depth0" => (true, Number(depth0)),
            "previtem" => (true, Index0 > 0 ? elements[Index0 - 1] : new Undefined("there is no previous item")),
            "nextitem" => (true, Index0 + 1 < Length ? elements[Index0 + 1] : new Undefined("there is no next item")),
            "cycle" => (true, new JinjaFunction("cycle", (_, arguments) => arguments.Positional is { Count: > 0 } items ? items[Index0 % items.Count] : throw JinjaException.Type("no items for cycling given")) { IsMethod = true }),
            "changed" => (true, new JinjaFunction("changed", (_, arguments) => Changed(new JinjaTuple([.. arguments.Positional]))) { IsMethod = true }),
            _ => (false, (object?)null),
        };
        return isThere;
    }

    public object? Call(Evaluator evaluator, Arguments arguments) => recurse is null
        ? throw JinjaException.Type("The loop must have the 'recursive' marker to be called recursively.")
        : recurse(arguments.Bind("loop", 1, "iterable").Value(0), depth0 + 1);

    private static object Number(int number) => new BigInteger(number);

    private bool Changed(JinjaTuple value)
    {
        bool changed = _changed is not JinjaTuple before || !Operators.Equal(before, value);
        _changed = value;
        return changed;
    }
}

/// <summary><c>cycler</c>: gives its items one after the other.</summary>
internal sealed class Cycler(IReadOnlyList<object?> items)
{
    private readonly JinjaTuple _tuple = new([.. items]);
    private int _at;

    public bool TryGet(string name, out object? value)
    {
        (bool isThere, value) = name switch
        {
            "current" => (true, items[_at]),
            "items" => (true, _tuple),
            "pos" => (true, new BigInteger(_at)),
            "next" => (true, new JinjaFunction("next", (_, _) => Next()) { IsMethod = true }),
            "reset" => (true, new JinjaFunction("reset", (_, _) => { _at = 0; return null; }) { IsMethod = true }),
            _ => (false, (object?)null),
        };
        return isThere;
    }

    private object? Next()
    {
        object? current = items[_at];
        _at = (_at + 1) % items.Count;
        return current;
    }
}

/// <summary><c>joiner</c>: nothing when it is called first, its text from then on.</summary>
internal sealed class Joiner(object? separator) : ICallable
{
    private bool _isUsed;

    public object? Call(Evaluator evaluator, Arguments arguments)
    {
        object? text = _isUsed ? separator : "";
        _isUsed = true;
        return text;
    }
}
