using System.CommandLine;
using System.CommandLine.Parsing;

namespace NanoFold.Cli;

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
