using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoFold.Engine.Text.Chat.Jinja;

// The values of a template are Python's: none is null, then bool, BigInteger, double, string, a List for a list, and what stands here.

/// <summary>What is not there: prints as nothing, is false and empty; anything else done with it is an error.</summary>
internal sealed class Undefined(string message, string kind = JinjaException.UndefinedKind)
{
    public static Undefined Name(string name) => new($"{Show.Repr(name)} is undefined");

    public JinjaException Fault() => new(kind, message);
}

/// <summary>Text that was escaped for HTML, or needs no escaping.</summary>
internal sealed record SafeText(string Text)
{
    /// <summary>The text of what may be safe or plain; null where it is no text.</summary>
    public static string? Plain(object? value) => value switch { string text => text, SafeText safe => safe.Text, _ => null };

    /// <summary>A text with the characters of HTML escaped; what is safe stays.</summary>
    public static SafeText Escape(object? value) => value as SafeText ?? new SafeText(Show.Str(value)
        .Replace("&", "&amp;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal));
}

/// <summary>A list that cannot be changed.</summary>
internal class JinjaTuple(params object?[] items)
{
    public object?[] Items { get; } = items;
}

/// <summary>A group of equal elements: a pair whose parts have names.</summary>
internal sealed class GroupTuple(object? grouper, List<object?> list) : JinjaTuple(grouper, list);

/// <summary>Keys with values, in the order in which they came.</summary>
internal sealed class JinjaDict
{
    private static readonly object s_none = new();
    private readonly OrderedDictionary<object, object?> _items = new(KeyComparer.Shared);

    public int Count => _items.Count;

    public IEnumerable<(object? Key, object? Value)> Items => _items.Select(item => (Unwrap(item.Key), item.Value));

    public object? this[object? key]
    {
        set => _items[Wrap(key)] = value;
    }

    public bool TryGet(object? key, out object? value) => _items.TryGetValue(Wrap(key), out value);

    private static object Wrap(object? key) => key ?? s_none;

    private static object? Unwrap(object key) => ReferenceEquals(key, s_none) ? null : key;
}

/// <summary>A view of a dictionary.</summary>
/// <param name="Dict">The dictionary.</param>
/// <param name="Kind"><c>keys</c>, <c>values</c> or <c>items</c>.</param>
internal sealed record DictView(JinjaDict Dict, string Kind)
{
    public IEnumerable<object?> Elements => Dict.Items.Select(item => Kind switch { "keys" => item.Key, "values" => item.Value, _ => new JinjaTuple(item.Key, item.Value) });
}

/// <summary>Whole numbers with equal steps between them.</summary>
internal sealed record JinjaRange(BigInteger Start, BigInteger Stop, BigInteger Step)
{
    public const int Most = 100_000;

    public int Count { get; } = CountOf(Start, Stop, Step);

    public BigInteger At(int index) => Start + (index * Step);

    private static int CountOf(BigInteger start, BigInteger stop, BigInteger step)
    {
        if (step.IsZero)
        {
            throw JinjaException.Value("range() arg 3 must not be zero");
        }

        BigInteger span = step.Sign > 0 ? stop - start : start - stop, size = BigInteger.Abs(step);
        BigInteger count = span.Sign <= 0 ? 0 : (span + size - 1) / size;
        return count <= Most ? (int)count : throw new JinjaException(JinjaException.OverflowKind, $"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({Most}).");
    }
}

/// <summary>Elements that come once, as they are asked for.</summary>
internal sealed class JinjaIterator(IEnumerable<object?> source, string kind = "generator")
{
    private readonly IEnumerator<object?> _elements = source.GetEnumerator();

    public string Kind { get; } = kind;

    public IEnumerable<object?> Rest()
    {
        while (_elements.MoveNext())
        {
            Effort.Spend();
            yield return _elements.Current;
        }
    }
}

/// <summary>What <c>set x.y</c> can change.</summary>
internal sealed class JinjaNamespace
{
    public JinjaDict Items { get; } = new();
}

/// <summary>Bytes, of which only the text is of use.</summary>
internal sealed record JinjaBytes(byte[] Bytes);

/// <summary>The template as it is seen from within.</summary>
internal sealed class TemplateReference;

/// <summary>Equality of keys, as of all values: 1, 1.0 and true are one.</summary>
internal sealed class KeyComparer : IEqualityComparer<object>
{
    public static KeyComparer Shared { get; } = new();

    public new bool Equals(object? x, object? y) => Operators.Equal(x, y);

    public int GetHashCode(object obj)
    {
        Effort.Spend();
        Effort.SpendOn(obj is string or SafeText ? obj : null);
        return Hash(obj);
    }

    private int Hash(object obj) => obj switch
    {
        string text => text.GetHashCode(StringComparison.Ordinal),
        SafeText safe => safe.Text.GetHashCode(StringComparison.Ordinal),
        bool flag => (flag ? BigInteger.One : BigInteger.Zero).GetHashCode(),
        BigInteger number => number.GetHashCode(),
        double real => double.IsInteger(real) ? new BigInteger(real).GetHashCode() : real.GetHashCode(),
        JinjaTuple tuple => tuple.Items.Aggregate(17, (hash, item) => HashCode.Combine(hash, item is null ? 0 : GetHashCode(item))),
        List<object?> or JinjaDict or DictView => throw JinjaException.Type($"unhashable type: '{Show.TypeOf(obj)}'"),
        Undefined => 1,
        JinjaRange or JinjaBytes => obj.GetHashCode(),
        _ => RuntimeHelpers.GetHashCode(obj),
    };
}
