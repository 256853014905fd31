using System.Globalization;
using System.Numerics;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Filters of lists and dictionaries.</summary>
internal static class ListFilters
{
    public static IEnumerable<KeyValuePair<string, Filter>> All() =>
    [
        new("length", (_, value, arguments) => arguments.Bind("length", 0) is null ? null : new BigInteger(Access.Length(value))),
        new("count", (_, value, arguments) => arguments.Bind("count", 0) is null ? null : new BigInteger(Access.Length(value))),
        new("default", (_, value, arguments) => Default(value, arguments.Bind("default", 0, "default_value", "boolean"))),
        new("d", (_, value, arguments) => Default(value, arguments.Bind("d", 0, "default_value", "boolean"))),
        new("attr", (_, value, arguments) => Attr(value, arguments.Bind("attr", 1, "name").Text(0, "")!)),
        new("first", (_, value, arguments) => arguments.Bind("first", 0) is null ? null : End(Access.Elements(value), "No first item, sequence was empty.")),
        new("last", (_, value, arguments) => arguments.Bind("last", 0) is null ? null : Last(value)),
        new("list", (_, value, arguments) => arguments.Bind("list", 0) is null ? null : Access.Elements(value).ToList()),
        new("items", (_, value, arguments) => arguments.Bind("items", 0) is null ? null : new JinjaIterator(Items(value))),
        new("join", Join),
        new("reverse", (_, value, arguments) => arguments.Bind("reverse", 0) is null ? null : Reverse(value)),
        new("sort", (_, value, arguments) => Sort(value, arguments.Bind("sort", 0, "reverse", "case_sensitive", "attribute"))),
        new("dictsort", (_, value, arguments) => DictSort(value, arguments.Bind("dictsort", 0, "case_sensitive", "by", "reverse"))),
        new("unique", (_, value, arguments) => new JinjaIterator(Unique(value, arguments.Bind("unique", 0, "case_sensitive", "attribute")))),
        new("min", (_, value, arguments) => Extreme(value, arguments.Bind("min", 0, "case_sensitive", "attribute"), "<")),
        new("max", (_, value, arguments) => Extreme(value, arguments.Bind("max", 0, "case_sensitive", "attribute"), ">")),
        new("sum", (_, value, arguments) => Sum(value, arguments.Bind("sum", 0, "attribute", "start"))),
        new("map", (evaluator, value, arguments) => new JinjaIterator(Map(evaluator, value, arguments))),
        new("select", (evaluator, value, arguments) => new JinjaIterator(Select(evaluator, value, arguments, ofAttribute: false, keeps: true))),
        new("reject", (evaluator, value, arguments) => new JinjaIterator(Select(evaluator, value, arguments, ofAttribute: false, keeps: false))),
        new("selectattr", (evaluator, value, arguments) => new JinjaIterator(Select(evaluator, value, arguments, ofAttribute: true, keeps: true))),
        new("rejectattr", (evaluator, value, arguments) => new JinjaIterator(Select(evaluator, value, arguments, ofAttribute: true, keeps: false))),
        new("batch", (_, value, arguments) => new JinjaIterator(Batch(value, arguments.Bind("batch", 1, "linecount", "fill_with")))),
        new("slice", (_, value, arguments) => new JinjaIterator(Slice(value, arguments.Bind("slice", 1, "slices", "fill_with")))),
        new("groupby", (_, value, arguments) => GroupBy(value, arguments.Bind("groupby", 1, "attribute", "default", "case_sensitive"))),
    ];

    private static object? Default(object? value, Bound bound) => value is Undefined || (bound.Flag(1, false) && !Access.Truth(value)) ? bound.Value(0, "") : value;

    private static object? Attr(object? value, string name) => value is Undefined undefined ? throw undefined.Fault() : Access.OnlyAttribute(value, name);

    private static object? End(IEnumerable<object?> elements, string otherwise)
    {
        foreach (object? element in elements)
        {
            return element;
        }

        return new Undefined(otherwise);
    }

    private static object? Last(object? value) => value is JinjaIterator iterator
        ? throw JinjaException.Type($"'{iterator.Kind}' object is not reversible")
        : End(Access.Elements(value).Reverse(), "No last item, sequence was empty.");

    private static IEnumerable<object?> Items(object? value) => value switch
    {
        Undefined => [],
        JinjaDict dict => new DictView(dict, "items").Elements,
        _ => throw JinjaException.Type("Can only get item pairs from a mapping."),
    };

    private static object Join(Evaluator evaluator, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind("join", 0, "d", "attribute");
        object? separator = bound.Value(0, "");
        IEnumerable<object?> elements = Access.Elements(value);
        elements = bound.Value(1) is { } attribute ? elements.Select(Getter(attribute, null)) : elements;
        if (!evaluator.Autoescape)
        {
            return Joined(Show.Str(separator), [.. elements.Select(Show.Str)]);
        }

        object?[] all = [.. elements.Select(element => element is SafeText ? element : Show.Str(element))];
        return separator is SafeText || all.Any(element => element is SafeText)
            ? new SafeText(Joined(SafeText.Escape(separator).Text, [.. all.Select(element => SafeText.Escape(element).Text)]))
            : Joined(Show.Str(separator), [.. all.Select(Show.Str)]);
    }

    private static string Joined(string separator, string[] parts)
    {
        Effort.RequireRoom(parts.Sum(part => (long)part.Length) + ((long)parts.Length * separator.Length));
        return string.Join(separator, parts);
    }

    private static object Reverse(object? value) => value switch
    {
        string or SafeText => Access.Slice(value, null, null, BigInteger.MinusOne)!,
        JinjaIterator => Access.Elements(value).Reverse().ToList(),
        _ when Access.IsIterable(value) => new JinjaIterator(Access.Elements(value).Reverse(), value is List<object?> ? "list_reverseiterator" : "reversed"),
        _ => throw new JinjaException(JinjaException.ArgumentKind, "argument must be iterable"),
    };

    private static List<object?> Sort(object? value, Bound bound)
    {
        Func<object?, object?> fold = Folding(bound.Flag(1, false));
        object? attribute = bound.Value(2);
        Func<object?, object?>[] getters = SafeText.Plain(attribute) is { } names ? [.. names.Split(',').Select(name => Getter(name))] : [Getter(attribute)];
        return Operators.Sorted(Access.Elements(value), element => getters.Select(getter => fold(getter(element))).ToList(), bound.Flag(0, false));
    }

    private static List<object?> DictSort(object? value, Bound bound)
    {
        int at = bound.Text(1, "key") switch { "key" => 0, "value" => 1, _ => throw new JinjaException(JinjaException.ArgumentKind, "You can only sort by either \"key\" or \"value\"") };
        Func<object?, object?> fold = Folding(bound.Flag(0, false));
        if (value is Undefined undefined)
        {
            throw undefined.Fault();
        }

        JinjaDict dict = value as JinjaDict ?? throw new JinjaException("AttributeError", $"'{Show.TypeOf(value)}' object has no attribute 'items'");
        return Operators.Sorted(new DictView(dict, "items").Elements, pair => fold(((JinjaTuple)pair!).Items[at]), bound.Flag(2, false));
    }

    private static IEnumerable<object?> Unique(object? value, Bound bound)
    {
        Func<object?, object?> fold = Folding(bound.Flag(0, false)), getter = Getter(bound.Value(1));
        var seen = new JinjaDict();
        foreach (object? element in Access.Elements(value))
        {
            object? key = fold(getter(element));
            if (!seen.TryGet(key, out _))
            {
                seen[key] = true;
                yield return element;
            }
        }
    }

    private static object? Extreme(object? value, Bound bound, string sign)
    {
        Func<object?, object?> fold = Folding(bound.Flag(0, false)), getter = Getter(bound.Value(1));
        object? best = Bound.Missing, bestKey = null;
        foreach (object? element in Access.Elements(value))
        {
            object? key = fold(getter(element));
            if (ReferenceEquals(best, Bound.Missing) || Operators.IsOrdered(sign, key, bestKey))
            {
                (best, bestKey) = (element, key);
            }
        }

        return ReferenceEquals(best, Bound.Missing) ? new Undefined("No aggregated item, sequence was empty.") : best;
    }

    private static object? Sum(object? value, Bound bound)
    {
        object? sum = bound.Value(1, BigInteger.Zero);
        if (sum is string or SafeText)
        {
            throw JinjaException.Type("sum() can't sum strings [use ''.join(seq) instead]");
        }

        Func<object?, object?> getter = Getter(bound.Value(0));
        foreach (object? element in Access.Elements(value))
        {
            sum = Operators.Add(sum, getter(element));
            Effort.SpendOn(sum);
        }

        return sum;
    }

    private static IEnumerable<object?> Map(Evaluator evaluator, object? value, Arguments arguments)
    {
        if (!Access.Truth(value))
        {
            yield break;
        }

        Func<object?, object?> change;
        if (arguments.Positional.Count == 0 && arguments.Named.Any(one => one.Name == "attribute"))
        {
            if (arguments.Named.FirstOrDefault(one => one.Name is not ("attribute" or "default")) is { Name: { } other })
            {
                throw new JinjaException(JinjaException.ArgumentKind, $"Unexpected keyword argument {Show.Repr(other)}");
            }

            Bound bound = new Arguments([], arguments.Named).Bind("map", 1, "attribute", "default");
            change = Getter(bound.Value(0), bound.Value(1));
        }
        else
        {
            string name = NameOf(arguments.Positional, 0) ?? throw new JinjaException(JinjaException.ArgumentKind, "map requires a filter argument");
            Arguments rest = arguments.Skip(1);
            change = element => evaluator.ApplyFilter(name, element, rest);
        }

        foreach (object? element in Access.Elements(value))
        {
            yield return change(element);
        }
    }

    private static IEnumerable<object?> Select(Evaluator evaluator, object? value, Arguments arguments, bool ofAttribute, bool keeps)
    {
        if (!Access.Truth(value))
        {
            yield break;
        }

        if (ofAttribute && arguments.Positional.Count == 0)
        {
            throw new JinjaException(JinjaException.ArgumentKind, "Missing parameter for attribute name");
        }

        Func<object?, object?> getter = ofAttribute ? Getter(arguments.Positional[0]) : element => element;
        int at = ofAttribute ? 1 : 0;
        string? name = NameOf(arguments.Positional, at);
        Arguments rest = arguments.Skip(at + 1);
        foreach (object? element in Access.Elements(value))
        {
            object? asked = getter(element);
            if ((name is null ? Access.Truth(asked) : evaluator.ApplyTest(name, asked, rest)) == keeps)
            {
                yield return element;
            }
        }
    }

    private static string? NameOf(IReadOnlyList<object?> positional, int at) => positional.Count <= at ? null : SafeText.Plain(positional[at]) ?? Show.Str(positional[at]);

    private static IEnumerable<object?> Batch(object? value, Bound bound)
    {
        int count = bound.Int(0, 0);
        object? fill = bound.Value(1);
        var batch = new List<object?>();
        foreach (object? element in Access.Elements(value))
        {
            if (batch.Count == count)
            {
                yield return batch;
                batch = [];
            }

            batch.Add(element);
        }

        if (batch.Count > 0)
        {
            if (fill is not null && count > batch.Count)
            {
                int missing = Math.Min(count, JinjaRange.Most) - Math.Min(batch.Count, JinjaRange.Most);
                Effort.Spend(missing);
                batch.AddRange(Enumerable.Repeat(fill, missing));
            }

            yield return batch;
        }
    }

    private static IEnumerable<object?> Slice(object? value, Bound bound)
    {
        List<object?> all = [.. Access.Elements(value)];
        int slices = bound.Int(0, 0);
        object? fill = bound.Value(1);
        if (slices > JinjaRange.Most)
        {
            throw Operators.TooLarge();
        }

        if (slices == 0)
        {
            throw new JinjaException(JinjaException.ZeroKind, "integer division or modulo by zero");
        }

        int size = all.Count / slices, larger = all.Count % slices, at = 0;
        for (int i = 0; i < slices; i++)
        {
            int count = size + (i < larger ? 1 : 0);
            List<object?> slice = all.GetRange(at, count);
            at += count;
            if (fill is not null && i >= larger)
            {
                slice.Add(fill);
            }

            yield return slice;
        }
    }

    private static List<object?> GroupBy(object? value, Bound bound)
    {
        Func<object?, object?> getter = Getter(bound.Value(0), bound.Value(1)), fold = Folding(bound.Flag(2, false));
        var groups = new List<(object? Key, List<object?> Elements)>();
        foreach (object? element in Operators.Sorted(Access.Elements(value), element => fold(getter(element)), reverse: false))
        {
            object? key = fold(getter(element));
            if (groups.Count == 0 || !Operators.Equal(groups[^1].Key, key))
            {
                groups.Add((key, []));
            }

            groups[^1].Elements.Add(element);
        }

        return [.. groups.Select(group => new GroupTuple(getter(group.Elements[0]), group.Elements))];
    }

    private static Func<object?, object?> Folding(bool caseSensitive) => caseSensitive ? value => value : value =>
    {
        Effort.SpendOn(value is string or SafeText ? value : null);
        return value switch { string text => Casing.Lower(text), SafeText safe => new SafeText(Casing.Lower(safe.Text)), _ => value };
    };

    private static Func<object?, object?> Getter(object? attribute) => Getter(attribute, null);

    // A path of attributes, of which numbers are places.
    private static Func<object?, object?> Getter(object? attribute, object? otherwise)
    {
        if (attribute is null)
        {
            return value => value;
        }

        object?[] path = SafeText.Plain(attribute) is { } names
            ? [.. names.Split('.').Select(part => part.Length > 0 && part.All(char.IsDigit) && BigInteger.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out BigInteger place) ? (object?)place : part)]
            : [attribute];
        return value =>
        {
            foreach (object? part in path)
            {
                value = Access.Item(value, part);
                value = value is Undefined && otherwise is not null ? otherwise : value;
            }

            return value;
        };
    }
}
