using System.Numerics;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Names that every template knows.</summary>
internal static class Globals
{
    /// <summary>By name.</summary>
    public static IReadOnlyDictionary<string, object?> All { get; } = new Dictionary<string, object?>(StringComparer.Ordinal)
    {
        ["range"] = new JinjaFunction("range", (_, arguments) => Range(arguments)),
        ["dict"] = new JinjaFunction("dict", (_, arguments) => DictOf(arguments)),
        ["namespace"] = new JinjaFunction("namespace", (_, arguments) => Namespace(arguments)),
        ["cycler"] = new JinjaFunction("cycler", (_, arguments) => arguments.Positional.Count > 0 ? new Cycler(arguments.Positional) : throw new JinjaException("RuntimeError", "at least one item has to be provided")),
        ["joiner"] = new JinjaFunction("joiner", (_, arguments) => new Joiner(arguments.Bind("joiner", 0, "sep").Value(0, ", "))),
        ["lipsum"] = new JinjaFunction("lipsum", (_, _) => throw JinjaException.Unsupported("lipsum()")),
        ["raise_exception"] = new JinjaFunction("raise_exception", (_, arguments) => throw new JinjaException(JinjaException.RaisedKind, Show.Str(arguments.Bind("raise_exception", 1, "message").Value(0)))),
        ["strftime_now"] = new JinjaFunction("strftime_now", (evaluator, arguments) => ClockFormat.Apply(arguments.Bind("strftime_now", 1, "format").Text(0, "")!, evaluator.Now)),
    };

    /// <summary>A dictionary of another one or of pairs, and more pairs.</summary>
    public static JinjaDict DictOf(object? source, IEnumerable<(object? Key, object? Value)> more)
    {
        var result = new JinjaDict();
        IEnumerable<(object? Key, object? Value)> first = source switch
        {
            null => [],
            JinjaDict dict => dict.Items,
            JinjaNamespace space => space.Items.Items,
            _ => Access.Elements(source).Select(pair => Access.Elements(pair).ToArray() is [var key, var value] ? (key, value) : throw JinjaException.Value("dictionary update sequence elements have length 2")),
        };
        foreach ((object? key, object? value) in first.Concat(more))
        {
            result[key] = value;
        }

        return result;
    }

    private static JinjaDict DictOf(Arguments arguments) => arguments.Positional.Count <= 1
        ? DictOf(arguments.Positional.Count > 0 ? arguments.Positional[0] : null, arguments.Named.Select(one => ((object?)one.Name, one.Value)))
        : throw JinjaException.Type($"dict expected at most 1 argument, got {arguments.Positional.Count}");

    private static JinjaNamespace Namespace(Arguments arguments)
    {
        var space = new JinjaNamespace();
        foreach ((object? key, object? value) in DictOf(arguments).Items)
        {
            space.Items[key] = value;
        }

        return space;
    }

    private static JinjaRange Range(Arguments arguments)
    {
        BigInteger[] bounds = [.. arguments.Bind("range", 1, "start", "stop", "step") is not null && arguments.Named.Count > 0
            ? throw JinjaException.Type("range() takes no keyword arguments")
            : arguments.Positional.Select(value => value is Undefined undefined ? throw undefined.Fault() : Operators.Whole(value, out BigInteger whole) ? whole : throw JinjaException.Type($"'{Show.TypeOf(value)}' object cannot be interpreted as an integer"))];
        return bounds.Length switch
        {
            1 => new JinjaRange(0, bounds[0], 1),
            2 => new JinjaRange(bounds[0], bounds[1], 1),
            _ => new JinjaRange(bounds[0], bounds[1], bounds[2]),
        };
    }
}
