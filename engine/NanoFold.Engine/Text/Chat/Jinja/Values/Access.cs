using System.Numerics;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Attributes, items, elements, truth and length of values. What would change a value is refused, and so is what begins with two underscores.</summary>
internal static class Access
{
    private static readonly string[] s_changesList = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];
    private static readonly string[] s_changesDict = ["clear", "pop", "popitem", "setdefault", "update"];

    private static readonly string[] s_internal =
    [
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__", "__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__",
        "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__", "__subclasshook__",
    ];

    public static bool Truth(object? value) => value switch
    {
        null => false,
        bool flag => flag,
        string text => text.Length > 0,
        BigInteger number => !number.IsZero,
        double real => real != 0,
        SafeText safe => safe.Text.Length > 0,
        List<object?> list => list.Count > 0,
        JinjaTuple tuple => tuple.Items.Length > 0,
        JinjaDict dict => dict.Count > 0,
        DictView view => view.Dict.Count > 0,
        JinjaRange range => range.Count > 0,
        LoopContext loop => loop.Length > 0,
        JinjaBytes bytes => bytes.Bytes.Length > 0,
        Undefined => false,
        _ => true,
    };

    public static int Length(object? value) => value switch
    {
        string or SafeText => PointText.Length(SafeText.Plain(value)),
        List<object?> list => list.Count,
        JinjaTuple tuple => tuple.Items.Length,
        JinjaDict dict => dict.Count,
        DictView view => view.Dict.Count,
        JinjaRange range => range.Count,
        LoopContext loop => loop.Length,
        JinjaBytes bytes => bytes.Bytes.Length,
        Undefined => 0,
        _ => throw JinjaException.Type($"object of type '{Show.TypeOf(value)}' has no len()"),
    };

    /// <summary>Whether it can be gone over.</summary>
    public static bool IsIterable(object? value) => value is string or SafeText or List<object?> or JinjaTuple or JinjaDict or DictView or JinjaRange or JinjaIterator or Undefined or LoopContext or JinjaBytes;

    /// <summary>Its elements; those of a dictionary are its keys.</summary>
    public static IEnumerable<object?> Elements(object? value) => value switch
    {
        string or SafeText => PointText.Points(SafeText.Plain(value)!),
        List<object?> list => list,
        JinjaTuple tuple => tuple.Items,
        JinjaDict dict => dict.Items.Select(item => item.Key),
        DictView view => view.Elements,
        JinjaRange range => Enumerable.Range(0, range.Count).Select(i => (object?)range.At(i)),
        JinjaIterator iterator => iterator.Rest(),
        Undefined => [],
        JinjaBytes bytes => bytes.Bytes.Select(b => (object?)new BigInteger((int)b)),
        _ => throw JinjaException.Type($"'{Show.TypeOf(value)}' object is not iterable"),
    };

    /// <summary>Whether something is an element, a key or a part.</summary>
    public static bool Contains(object? owner, object? value)
    {
        Effort.SpendOn(owner);
        return IsInside(owner, value);
    }

    private static bool IsInside(object? owner, object? value) => owner switch
    {
        string or SafeText => SafeText.Plain(value) is { } part ? PointText.IndexOf(SafeText.Plain(owner)!, part) >= 0 : throw JinjaException.Type($"'in <string>' requires string as left operand, not {Show.TypeOf(value)}"),
        JinjaDict dict => dict.TryGet(value, out _),
        JinjaRange range when Operators.Whole(value, out BigInteger whole) => IsIn(range, whole),
        _ when IsIterable(owner) => Elements(owner).Any(element => Operators.Equal(element, value)),
        _ => throw JinjaException.Type($"argument of type '{Show.TypeOf(owner)}' is not iterable"),
    };

    /// <summary><c>a.name</c>: an attribute, or else the item of that name.</summary>
    public static object? Attribute(object? owner, string name) => owner is Undefined undefined && !s_internal.Contains(name) ? throw undefined.Fault()
        : TryAttribute(owner, name, out object? value) ? value
        : owner is JinjaDict dict && dict.TryGet(name, out value) ? value
        : Missing(owner, name);

    /// <summary><c>a | attr(name)</c>: an attribute, and no item.</summary>
    public static object? OnlyAttribute(object? owner, string name) => TryAttribute(owner, name, out object? value) ? value : Missing(owner, name);

    /// <summary><c>a[key]</c>: an item, or else the attribute of that name.</summary>
    public static object? Item(object? owner, object? key)
    {
        if (owner is Undefined undefined)
        {
            throw undefined.Fault();
        }

        if (TryItem(owner, key, out object? value) || (SafeText.Plain(key) is { } name && TryAttribute(owner, name, out value)))
        {
            return value;
        }

        return Missing(owner, key);
    }

    /// <summary><c>a[start:stop:step]</c>; null where it has no parts.</summary>
    public static object? Slice(object? owner, object? start, object? stop, object? step)
    {
        if (owner is Undefined undefined)
        {
            throw undefined.Fault();
        }

        if (owner is not (string or SafeText or List<object?> or JinjaTuple or JinjaRange))
        {
            throw JinjaException.Type(owner is JinjaDict ? "unhashable type: 'slice'" : $"'{Show.TypeOf(owner)}' object is not subscriptable");
        }

        if (!IsIndex(start, out BigInteger? first) || !IsIndex(stop, out BigInteger? last) || !IsIndex(step, out BigInteger? by))
        {
            throw JinjaException.Type("slice indices must be integers or None or have an __index__ method");
        }

        if (by is { IsZero: true })
        {
            throw JinjaException.Value("slice step cannot be zero");
        }

        Effort.SpendOn(owner is string or SafeText ? owner : null);
        int length = Length(owner);
        BigInteger stride = by ?? 1;
        bool up = stride.Sign > 0;
        BigInteger from = Bound(first, up ? 0 : length - 1, length, up), to = Bound(last, up ? length : -1, length, up);
        if (owner is string or SafeText)
        {
            string text = SafeText.Plain(owner)!;
            string part = stride.IsOne ? PointText.Part(text, (int)from, (int)to) : string.Concat(Steps(from, to, stride).Select(PointsOf(text)));
            return owner is SafeText ? new SafeText(part) : part;
        }

        if (owner is JinjaRange range)
        {
            return new JinjaRange(range.Start + (from * range.Step), range.Start + (to * range.Step), range.Step * stride);
        }

        IReadOnlyList<object?> elements = owner is List<object?> list ? list : ((JinjaTuple)owner!).Items;
        object?[] chosen = [.. Steps(from, to, stride).Select(i => elements[i])];
        return owner is List<object?> ? new List<object?>(chosen) : new JinjaTuple(chosen);
    }

    /// <summary>What an undefined value's message calls what has no such part.</summary>
    public static string OwnerOf(object? owner) => owner is null ? "None" : owner is JinjaNamespace ? "jinja2.utils.Namespace object" : $"{Show.TypeOf(owner)} object";

    private static Undefined Missing(object? owner, object? name) => new(SafeText.Plain(name) is { } text
        ? $"{Show.Repr(OwnerOf(owner))} has no attribute {Show.Repr(text)}"
        : $"{OwnerOf(owner)} has no element {Show.Repr(name)}");

    private static bool IsIn(JinjaRange range, BigInteger value)
    {
        BigInteger place = value - range.Start;
        return BigInteger.Remainder(place, range.Step).IsZero && place / range.Step is var index && index.Sign >= 0 && index < range.Count;
    }

    private static Func<int, string> PointsOf(string text)
    {
        string[] points = [.. PointText.Points(text)];
        return i => points[i];
    }

    private static IEnumerable<int> Steps(BigInteger from, BigInteger to, BigInteger step)
    {
        for (BigInteger at = from; step.Sign > 0 ? at < to : at > to; at += step)
        {
            yield return (int)at;
        }
    }

    private static BigInteger Bound(BigInteger? given, int otherwise, int length, bool up)
    {
        if (given is not { } bound)
        {
            return otherwise;
        }

        bound = bound.Sign < 0 ? bound + length : bound;
        (int least, int most) = up ? (0, length) : (-1, length - 1);
        return bound < least ? least : bound > most ? most : bound;
    }

    private static bool IsIndex(object? value, out BigInteger? index)
    {
        index = Operators.Whole(value, out BigInteger whole) ? whole : null;
        return value is null || index is not null;
    }

    private static bool TryItem(object? owner, object? key, out object? value)
    {
        value = null;
        if (owner is JinjaDict dict)
        {
            return key is not (List<object?> or JinjaDict or DictView) && dict.TryGet(key, out value);
        }

        if (!Operators.Whole(key, out BigInteger index) || owner is not (string or SafeText or List<object?> or JinjaTuple or JinjaRange))
        {
            return false;
        }

        Effort.SpendOn(owner is string or SafeText ? owner : null);
        int length = Length(owner);
        index = index.Sign < 0 ? index + length : index;
        if (index.Sign < 0 || index >= length)
        {
            return false;
        }

        int at = (int)index;
        value = owner switch
        {
            List<object?> list => list[at],
            JinjaTuple tuple => tuple.Items[at],
            JinjaRange range => range.At(at),
            SafeText safe => new SafeText(PointText.Part(safe.Text, at, at + 1)),
            _ => PointText.Part((string)owner!, at, at + 1),
        };
        return true;
    }

    private static bool TryAttribute(object? owner, string name, out object? value)
    {
        if (name.StartsWith("__", StringComparison.Ordinal) && s_internal.Contains(name))
        {
            value = Unsafe(owner, name);
            return true;
        }

        value = null;
        return owner switch
        {
            string or SafeText => (value = TextMethods.Find(owner, name)) is not null,
            JinjaDict dict => (value = OfDict(dict, name)) is not null,
            List<object?> list => (value = OfList(list, list, name)) is not null,
            GroupTuple group when name is "grouper" or "list" => Give(group.Items[name == "list" ? 1 : 0], out value),
            JinjaTuple tuple => (value = OfList(tuple, tuple.Items, name)) is not null,
            JinjaNamespace space => space.Items.TryGet(name, out value),
            LoopContext loop => loop.TryGet(name, out value),
            Cycler cycler => cycler.TryGet(name, out value),
            JinjaRange range when name is "start" or "stop" or "step" => Give(name switch { "start" => range.Start, "stop" => range.Stop, _ => range.Step }, out value),
            JinjaRange range when name is "index" or "count" => (value = OfRange(range, name)) is not null,
            Macro macro when name is "name" or "arguments" or "caller" or "catch_kwargs" or "catch_varargs" => Give(OfMacro(macro, name), out value),
            bool when TryAttribute(Operators.Plus(owner), name, out value) => true,
            BigInteger number when name is "real" or "numerator" => Give(number, out value),
            BigInteger when name is "imag" or "denominator" => Give(name == "imag" ? BigInteger.Zero : BigInteger.One, out value),
            BigInteger number when name is "bit_length" or "bit_count" or "conjugate" => Give(Method(name, _ => name == "conjugate" ? number : new BigInteger(name == "bit_length" ? BigInteger.Abs(number).GetBitLength() : CountBits(number))), out value),
            double real when name is "is_integer" => Give(Method(name, _ => double.IsInteger(real)), out value),
            double real when name is "real" or "imag" => Give(name == "real" ? real : 0.0, out value),
            TemplateReference => Give(new JinjaFunction(name, (evaluator, _) => evaluator.RenderBlock(name)) { IsMethod = true }, out value),
            _ => false,
        };
    }

    private static bool Give(object? given, out object? value)
    {
        value = given;
        return true;
    }

    private static long CountBits(BigInteger number) => BigInteger.Abs(number).ToByteArray().Sum(b => (long)BitOperations.PopCount(b));

    private static object? OfMacro(Macro macro, string name) => name switch
    {
        "name" => macro.Name,
        "arguments" => new JinjaTuple([.. macro.Node.Parameters]),
        "caller" => macro.Node.Uses("caller"),
        "catch_kwargs" => macro.Node.Uses("kwargs"),
        _ => macro.Node.Uses("varargs"),
    };

    private static object? OfDict(JinjaDict dict, string name) => name switch
    {
        "items" or "keys" or "values" => Method(name, arguments =>
        {
            arguments.Bind(name, 0);
            return new DictView(dict, name);
        }),
        "get" => Method(name, arguments => arguments.Bind(name, 1, "key", "default") is var bound && dict.TryGet(bound.Value(0), out object? found) ? found : bound.Value(1)),
        "copy" => Method(name, _ => Globals.DictOf(dict, [])),
        _ when s_changesDict.Contains(name) => Unsafe(dict, name),
        _ => null,
    };

    private static object? OfList(object owner, IReadOnlyList<object?> elements, string name) => name switch
    {
        "index" => Method(name, arguments => IndexOf(elements, arguments.Bind(name, 1, "value").Value(0)) is >= 0 and var at ? new BigInteger(at) : throw JinjaException.Value($"{Show.Repr(arguments.Positional[0])} is not in {Show.TypeOf(owner)}")),
        "count" => Method(name, arguments => new BigInteger(elements.Count(element => Operators.Equal(element, arguments.Bind(name, 1, "value").Value(0))))),
        "copy" when owner is List<object?> => Method(name, _ => new List<object?>(elements)),
        _ when owner is List<object?> && s_changesList.Contains(name) => Unsafe(owner, name),
        _ => null,
    };

    private static object? OfRange(JinjaRange range, string name)
    {
        Effort.SpendOn(range);
        return OfList(range, [.. Elements(range)], name);
    }

    private static int IndexOf(IReadOnlyList<object?> elements, object? value)
    {
        for (int i = 0; i < elements.Count; i++)
        {
            if (Operators.Equal(elements[i], value))
            {
                return i;
            }
        }

        return -1;
    }

    private static JinjaFunction Method(string name, Func<Arguments, object?> body) => new(name, (_, arguments) => body(arguments)) { IsMethod = true };

    private static Undefined Unsafe(object? owner, string name) => new($"access to attribute {Show.Repr(name)} of {Show.Repr(Show.TypeOf(owner))} object is unsafe.", JinjaException.SecurityKind);
}
