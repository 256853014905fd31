using System.Numerics;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>What stands after <c>is</c>.</summary>
internal static class JinjaTests
{
    private const string Other = "other";

    /// <summary>By name.</summary>
    public static IReadOnlyDictionary<string, Func<object?, Arguments, bool>> All { get; } = Make();

    private static Dictionary<string, Func<object?, Arguments, bool>> Make()
    {
        var tests = new Dictionary<string, Func<object?, Arguments, bool>>(StringComparer.Ordinal);
        Plain("defined", value => value is not Undefined);
        Plain("undefined", value => value is Undefined);
        Plain("none", value => value is null);
        Plain("boolean", value => value is bool);
        Plain("true", value => value is true);
        Plain("false", value => value is false);
        Plain("integer", value => value is BigInteger);
        Plain("float", value => value is double);
        Plain("number", value => value is BigInteger or double or bool);
        Plain("string", value => value is string or SafeText);
        Plain("mapping", value => value is JinjaDict);
        Plain("sequence", value => value is string or SafeText or List<object?> or JinjaTuple or JinjaDict or JinjaRange or Undefined or JinjaBytes);
        Plain("iterable", Access.IsIterable);
        Plain("callable", value => value is ICallable or Undefined);
        Plain("escaped", value => value is SafeText);
        Plain("lower", value => Method(value, "islower"));
        Plain("upper", value => Method(value, "isupper"));
        Plain("odd", value => Operators.Equal(Operators.Modulo(value, new BigInteger(2)), BigInteger.One));
        Plain("even", value => Operators.Equal(Operators.Modulo(value, new BigInteger(2)), BigInteger.Zero));
        Plain("filter", value => Hashed(value) is { } name && JinjaFilters.All.ContainsKey(name));
        Plain("test", value => Hashed(value) is { } name && All!.ContainsKey(name));
        With(["divisibleby"], (value, number) => Operators.Equal(Operators.Modulo(value, number), BigInteger.Zero));
        With(["sameas"], IsSame);
        With(["in"], (value, owner) => Access.Contains(owner, value));
        With(["eq", "==", "equalto"], Operators.Equal);
        With(["ne", "!="], (a, b) => !Operators.Equal(a, b));
        foreach ((string sign, string[] names) in ((string, string[])[])[("<", ["lt", "<", "lessthan"]), ("<=", ["le", "<="]), (">", ["gt", ">", "greaterthan"]), (">=", ["ge", ">="])])
        {
            With(names, (a, b) => Operators.IsOrdered(sign, a, b));
        }

        return tests;

        void Plain(string name, Func<object?, bool> test) => tests[name] = (value, arguments) =>
        {
            arguments.Bind(name, 0);
            return test(value);
        };

        void With(string[] names, Func<object?, object?, bool> test)
        {
            foreach (string name in names)
            {
                tests[name] = (value, arguments) => test(value, arguments.Bind(name, 1, Other).Value(0));
            }
        }
    }

    // A name; lists and dictionaries cannot be looked for.
    private static string? Hashed(object? value) => value is List<object?> or JinjaDict ? throw JinjaException.Type($"unhashable type: '{Show.TypeOf(value)}'") : SafeText.Plain(value);

    private static bool Method(object? value, string name) => ((ICallable)TextMethods.Find(Show.Str(value), name)!).Call(null!, Arguments.None) is true;

    // Equal constants are one object; lists and dictionaries are so only with themselves.
    private static bool IsSame(object? a, object? b) => ReferenceEquals(a, b) || (a?.GetType() == b?.GetType() && a is bool or BigInteger or double or string && Operators.Equal(a, b));
}
