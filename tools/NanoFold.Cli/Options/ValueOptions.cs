using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using NanoFold.Engine.Configuration;

namespace NanoFold.Cli.Options;

/// <summary>Options for whole numbers within bounds.</summary>
internal static class IntegerOption
{
    public static Option<long?> Create(string name, string description, long minimum, long maximum, bool recursive = false) => new(name)
    {
        Description = description,
        HelpName = "N",
        Recursive = recursive,
        CustomParser = result => Parse(result, name, minimum, maximum),
    };

    private static long? Parse(ArgumentResult result, string name, long minimum, long maximum)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= minimum && value <= maximum)
        {
            return value;
        }

        string range = maximum == long.MaxValue ? $"of at least {minimum}" : $"from {minimum} to {maximum}";
        result.AddError($"{name}: expected an integer {range}, got '{text}'");
        return null;
    }
}

/// <summary>Options for numbers within the bounds of a setting.</summary>
internal static class NumberOption
{
    public static Option<double?> Create(string name, string helpName, string description, BoundsAttribute bounds) => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = result => Parse(result, name, bounds),
    };

    private static double? Parse(ArgumentResult result, string name, BoundsAttribute bounds)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) && bounds.Contain(value))
        {
            return value;
        }

        result.AddError($"{name}: expected a number of {bounds}, got '{text}'");
        return null;
    }
}

/// <summary>Options for several whole numbers within bounds, separated by commas.</summary>
internal static class IntegerListOption
{
    public static Option<int[]?> Create(string name, string description, int minimum, int maximum) => new(name)
    {
        Description = description,
        HelpName = "N,N,…",
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result => Parse(result, name, minimum, maximum),
    };

    private static int[]? Parse(ArgumentResult result, string name, int minimum, int maximum)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        var values = new List<int>();
        foreach (string part in text.Split(','))
        {
            if (!int.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) || value < minimum || value > maximum)
            {
                result.AddError($"{name}: expected integers from {minimum} to {maximum} separated by commas, got '{text}'");
                return null;
            }

            values.Add(value);
        }

        return [.. values];
    }
}

/// <summary>Options that take some of a few names, separated by commas, given once or several times.</summary>
internal static class NameListOption
{
    private const string All = "all";

    public static Option<string[]?> Create(string name, string description, IReadOnlyList<string> known) => new(name)
    {
        Description = description,
        HelpName = string.Join('|', known.Append(All)),
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result => Parse(result, name, known),
    };

    // In the order in which they are known, each once.
    private static string[]? Parse(ArgumentResult result, string name, IReadOnlyList<string> known)
    {
        string[] given = [.. result.Tokens.SelectMany(token => token.Value.Split(','))];
        if (given.FirstOrDefault(value => value != All && !known.Contains(value)) is { } wrong)
        {
            result.AddError($"{name}: expected {string.Join(", ", known)} or {All}, got '{wrong}'");
            return null;
        }

        return [.. known.Where(value => given.Contains(value) || given.Contains(All))];
    }
}
