using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace NanoFold.Cli;

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
