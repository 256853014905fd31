using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace NanoFold.Cli;

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
