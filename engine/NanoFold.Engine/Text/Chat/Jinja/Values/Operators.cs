using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>Arithmetic, equality and order of values, as Python has them.</summary>
internal static class Operators
{
    /// <summary>Characters or elements that a value has at most.</summary>
    public const int Most = 1 << 24;

    private const int MostBits = 1 << 14;

    public static object Add(object? a, object? b)
    {
        RequireDefined(a, b);
        return (a, b) switch
        {
            (string x, string y) => Fits((long)x.Length + y.Length, x, first => first + y),
            (SafeText or string, SafeText or string) => new SafeText((string)Add(SafeText.Escape(a).Text, SafeText.Escape(b).Text)),
            (List<object?> x, List<object?> y) => Fits((long)x.Count + y.Count, x, first => (List<object?>)[.. first, .. y]),
            (JinjaTuple x, JinjaTuple y) => Fits((long)x.Items.Length + y.Items.Length, x, first => new JinjaTuple([.. first.Items, .. y.Items])),
            (string or SafeText, _) => throw JinjaException.Type($"can only concatenate str (not \"{Show.TypeOf(b)}\") to str"),
            (List<object?> or JinjaTuple, _) => throw JinjaException.Type($"can only concatenate {Show.TypeOf(a)} (not \"{Show.TypeOf(b)}\") to {Show.TypeOf(a)}"),
            _ => Arithmetic("+", a, b, (x, y) => x + y, (x, y) => x + y),
        };
    }

    public static object Subtract(object? a, object? b)
    {
        RequireDefined(a, b);
        return Arithmetic("-", a, b, (x, y) => x - y, (x, y) => x - y);
    }

    public static object Multiply(object? a, object? b)
    {
        if (a is SafeText && b is Undefined)
        {
            throw JinjaException.Type("'Undefined' object cannot be interpreted as an integer");
        }

        RequireDefined(a, b);
        return (a, b) switch
        {
            (string or SafeText or List<object?> or JinjaTuple, _) when Whole(b, out BigInteger times) => Repeat(a, times),
            (_, string or SafeText or List<object?> or JinjaTuple) when Whole(a, out BigInteger times) => Repeat(b, times),
            (string or SafeText or List<object?> or JinjaTuple, _) => throw JinjaException.Type($"can't multiply sequence by non-int of type '{Show.TypeOf(b)}'"),
            _ => Arithmetic("*", a, b, (x, y) => FitsBits(x.GetBitLength() + y.GetBitLength(), x, y), (x, y) => x * y),
        };
    }

    public static object Divide(object? a, object? b)
    {
        RequireDefined(a, b);
        if (!Number(a, out double x) || !Number(b, out double y))
        {
            throw Unsuitable("/", a, b);
        }

        return y != 0 ? Finite(x) / Finite(y) : throw ByZero("division by zero");
    }

    public static object FloorDivide(object? a, object? b)
    {
        RequireDefined(a, b);
        return Arithmetic("//", a, b, (x, y) => y.IsZero ? throw ByZero("integer division or modulo by zero") : Floor(x, y).Quotient, (x, y) => y == 0 ? throw ByZero("float floor division by zero") : FloorQuotient(x, y));
    }

    public static object Modulo(object? a, object? b)
    {
        if (SafeText.Plain(a) is { } format)
        {
            string text = PercentFormat.Apply(format, b, escape: a is SafeText);
            return a is SafeText ? new SafeText(text) : text;
        }

        RequireDefined(a, b);
        return Arithmetic("%", a, b, (x, y) => y.IsZero ? throw ByZero("integer division or modulo by zero") : Floor(x, y).Modulus, (x, y) => y == 0 ? throw ByZero("float modulo") : FloorRest(x, y));
    }

    public static object Power(object? a, object? b)
    {
        RequireDefined(a, b);
        if (Whole(a, out BigInteger whole) && Whole(b, out BigInteger power) && power.Sign >= 0)
        {
            return power * whole.GetBitLength() <= MostBits ? BigInteger.Pow(whole, (int)power) : throw TooLarge();
        }

        if (!Number(a, out double x) || !Number(b, out double y))
        {
            throw Unsuitable("** or pow()", a, b);
        }

        double result = Math.Pow(x, y);
        return x == 0 && y < 0 ? throw ByZero("0.0 cannot be raised to a negative power")
            : x < 0 && !double.IsInteger(y) ? throw JinjaException.Unsupported("a root of a negative number")
            : double.IsInfinity(result) && double.IsFinite(x) && double.IsFinite(y) ? throw TooLarge()
            : result;
    }

    public static object Negate(object? value) => value switch
    {
        Undefined undefined => throw undefined.Fault(),
        double real => -real,
        _ when Whole(value, out BigInteger whole) => -whole,
        _ => throw JinjaException.Type($"bad operand type for unary -: '{Show.TypeOf(value)}'"),
    };

    public static object Plus(object? value) => value switch
    {
        Undefined undefined => throw undefined.Fault(),
        double real => real,
        _ when Whole(value, out BigInteger whole) => whole,
        _ => throw JinjaException.Type($"bad operand type for unary +: '{Show.TypeOf(value)}'"),
    };

    /// <summary>Whether two values are equal; those of different kinds are not, but for numbers.</summary>
    public static bool Equal(object? a, object? b)
    {
        Effort.Spend();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw JinjaException.TooDeep();
        }

        return (a, b) switch
        {
            (null, null) => true,
            (null, _) or (_, null) => false,
            (string or SafeText, string or SafeText) => SameText(SafeText.Plain(a)!, SafeText.Plain(b)!),
            (bool or BigInteger or double, bool or BigInteger or double) => CompareNumbers(a, b) == 0,
            (List<object?> x, List<object?> y) => Same(x, y),
            (JinjaTuple x, JinjaTuple y) => Same(x.Items, y.Items),
            (JinjaDict x, JinjaDict y) => x.Count == y.Count && x.Items.All(item => y.TryGet(item.Key, out object? other) && Equal(item.Value, other)),
            (Undefined, Undefined) => true,
            (JinjaRange x, JinjaRange y) => x.Count == y.Count && (x.Count == 0 || (x.Start == y.Start && (x.Count == 1 || x.Step == y.Step))),
            (JinjaBytes x, JinjaBytes y) => x.Bytes.AsSpan().SequenceEqual(y.Bytes),
            (DictView x, DictView y) when x.Kind != "values" && y.Kind != "values" => x.Dict.Count == y.Dict.Count && x.Elements.All(element => y.Elements.Any(other => Equal(element, other))),
            _ => ReferenceEquals(a, b),
        };
    }

    /// <summary>Whether the order of two values is the one that an operator asks for.</summary>
    /// <param name="sign"><c>&lt;</c>, <c>&lt;=</c>, <c>&gt;</c> or <c>&gt;=</c>.</param>
    /// <param name="a">On the left.</param>
    /// <param name="b">On the right.</param>
    public static bool IsOrdered(string sign, object? a, object? b)
    {
        RequireDefined(a, b);
        // Not a number is in no order.
        return Order(sign, a, b) is { } order && sign switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
    }

    /// <summary>Elements in order; equal ones stay in theirs.</summary>
    public static List<object?> Sorted(IEnumerable<object?> elements, Func<object?, object?> key, bool reverse)
    {
        (object? Key, object? Element)[] all = [.. elements.Select(element => (key(element), element))];
        if (reverse)
        {
            Array.Reverse(all);
        }

        Merge(all, new (object? Key, object? Element)[all.Length], 0, all.Length);
        if (reverse)
        {
            Array.Reverse(all);
        }

        return [.. all.Select(one => one.Element)];
    }

    /// <summary>A whole number, which true and false are too.</summary>
    public static bool Whole(object? value, out BigInteger whole)
    {
        whole = value is BigInteger number ? number : value is true ? BigInteger.One : BigInteger.Zero;
        return value is BigInteger or bool;
    }

    /// <summary>A number of any kind.</summary>
    public static bool Number(object? value, out double number)
    {
        number = value is double real ? real : Whole(value, out BigInteger whole) ? Nearest(whole) : 0;
        return value is double or BigInteger or bool;
    }

    /// <summary>The nearest double, which a cast does not give.</summary>
    public static double Nearest(BigInteger whole) => whole.GetBitLength() <= 53 ? (double)whole
        : whole.GetBitLength() <= 1024 ? double.Parse(whole.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : throw new JinjaException(JinjaException.OverflowKind, "int too large to convert to float");

    /// <summary>Code points are ordered, not their halves.</summary>
    public static int CompareText(string a, string b)
    {
        for (int i = 0; i < a.Length && i < b.Length; i++)
        {
            if (a[i] != b[i])
            {
                return char.IsSurrogate(a[i]) != char.IsSurrogate(b[i]) ? (char.IsSurrogate(a[i]) ? 1 : -1) : a[i] - b[i];
            }
        }

        return a.Length - b.Length;
    }

    public static JinjaException TooLarge() => new(JinjaException.OverflowKind, "a number or a text is too large");

    private static bool SameText(string a, string b)
    {
        if (a.Length != b.Length)
        {
            return false;
        }

        Effort.SpendOn(a);
        return a == b;
    }

    private static bool Same(IReadOnlyList<object?> x, IReadOnlyList<object?> y)
    {
        for (int i = 0; i < x.Count && x.Count == y.Count; i++)
        {
            if (!Equal(x[i], y[i]))
            {
                return false;
            }
        }

        return x.Count == y.Count;
    }

    private static int? Order(string sign, object? a, object? b) => Compared(a, b) switch
    {
        (string or SafeText, string or SafeText) => CompareText(SafeText.Plain(a)!, SafeText.Plain(b)!),
        (bool or BigInteger or double, bool or BigInteger or double) => CompareNumbers(a, b),
        (List<object?> x, List<object?> y) => OrderLists(sign, x, y),
        (JinjaTuple x, JinjaTuple y) => OrderLists(sign, x.Items, y.Items),
        _ => throw JinjaException.Type($"'{sign}' not supported between instances of '{Show.TypeOf(a)}' and '{Show.TypeOf(b)}'"),
    };

    private static (object? A, object? B) Compared(object? a, object? b)
    {
        Effort.Spend();
        Effort.SpendOn(a is string or SafeText ? a : null);
        return (a, b);
    }

    private static int? OrderLists(string sign, IReadOnlyList<object?> x, IReadOnlyList<object?> y)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw JinjaException.TooDeep();
        }

        for (int i = 0; i < x.Count && i < y.Count; i++)
        {
            if (!Equal(x[i], y[i]))
            {
                RequireDefined(x[i], y[i]);
                return Order(sign, x[i], y[i]);
            }
        }

        return x.Count.CompareTo(y.Count);
    }

    // Null where one of them is not a number.
    private static int? CompareNumbers(object? a, object? b)
    {
        if (a is not double && b is not double)
        {
            Whole(a, out BigInteger x);
            Whole(b, out BigInteger y);
            return x.CompareTo(y);
        }

        if (a is double p && b is double q)
        {
            return double.IsNaN(p) || double.IsNaN(q) ? null : p.CompareTo(q);
        }

        if (a is double)
        {
            return -CompareNumbers(b, a);
        }

        double real = (double)b!;
        Whole(a, out BigInteger whole);
        if (!double.IsFinite(real))
        {
            return double.IsNaN(real) ? null : real > 0 ? -1 : 1;
        }

        int order = whole.CompareTo(new BigInteger(Math.Floor(real)));
        return order != 0 || double.IsInteger(real) ? order : -1;
    }

    private static void Merge((object? Key, object? Element)[] all, (object? Key, object? Element)[] space, int from, int to)
    {
        if (to - from < 2)
        {
            return;
        }

        int middle = (from + to) / 2;
        Merge(all, space, from, middle);
        Merge(all, space, middle, to);
        Array.Copy(all, from, space, from, to - from);
        for (int left = from, right = middle, at = from; at < to; at++)
        {
            bool takesRight = left == middle || (right < to && IsOrdered("<", space[right].Key, space[left].Key));
            all[at] = takesRight ? space[right++] : space[left++];
        }
    }

    private static object Arithmetic(string sign, object? a, object? b, Func<BigInteger, BigInteger, BigInteger> whole, Func<double, double, double> real)
        => Whole(a, out BigInteger x) && Whole(b, out BigInteger y) ? whole(x, y)
            : Number(a, out double p) && Number(b, out double q) ? real(p, q)
            : throw Unsuitable(sign, a, b);

    private static object Repeat(object? value, BigInteger times)
    {
        int count = times.Sign <= 0 ? 0 : times <= Most ? (int)times : throw TooLarge();
        return value switch
        {
            string text => Fits((long)text.Length * count, new StringBuilder(), builder => builder.Insert(0, text, count).ToString()),
            SafeText safe => new SafeText((string)Repeat(safe.Text, times)),
            List<object?> list => Fits((long)list.Count * count, list, one => Enumerable.Repeat(one, count).SelectMany(part => part).ToList()),
            _ => new JinjaTuple([.. (List<object?>)Repeat(((JinjaTuple)value!).Items.ToList(), times)]),
        };
    }

    private static TResult Fits<T, TResult>(long size, T value, Func<T, TResult> make) => size <= Most ? make(value) : throw TooLarge();

    private static BigInteger FitsBits(long bits, BigInteger x, BigInteger y)
    {
        Effort.Spend(bits >> 6);
        return bits <= MostBits ? x * y : throw TooLarge();
    }

    private static double Finite(double value) => double.IsInfinity(value) ? throw TooLarge() : value;

    private static (BigInteger Quotient, BigInteger Modulus) Floor(BigInteger x, BigInteger y)
    {
        BigInteger quotient = BigInteger.DivRem(x, y, out BigInteger rest);
        return !rest.IsZero && rest.Sign != y.Sign ? (quotient - 1, rest + y) : (quotient, rest);
    }

    private static double FloorQuotient(double x, double y)
    {
        double quotient = (x - FloorRest(x, y)) / y, floor = Math.Floor(quotient);
        return quotient == 0 ? Math.CopySign(0, x / y) : quotient - floor > 0.5 ? floor + 1 : floor;
    }

    private static double FloorRest(double x, double y)
    {
        double rest = x % y;
        return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest == 0 ? Math.CopySign(0, y) : rest;
    }

    private static void RequireDefined(object? a, object? b)
    {
        if ((a as Undefined ?? b as Undefined) is { } undefined)
        {
            throw undefined.Fault();
        }
    }

    private static JinjaException Unsuitable(string sign, object? a, object? b) => JinjaException.Type($"unsupported operand type(s) for {sign}: '{Show.TypeOf(a)}' and '{Show.TypeOf(b)}'");

    private static JinjaException ByZero(string message) => new(JinjaException.ZeroKind, message);
}
