using System.CommandLine;
using System.CommandLine.Parsing;
using NanoFold.Engine.Configuration;

namespace NanoFold.Cli;

/// <summary>What is wrong with a command line.</summary>
internal static class Usage
{
    /// <summary>Every problem, in a line each.</summary>
    public static IReadOnlyList<string> Problems(RootCommand root, ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (parsed.Action is System.CommandLine.Help.HelpAction)
        {
            return [];
        }

        var problems = new List<string>(parsed.UnmatchedTokens.Select(token => Unknown(root, command, token)));
        if (command.Subcommands.Count > 0 && problems.Count == 0)
        {
            problems.Add($"{(command == root ? "a verb" : $"what to do with {command.Name}")} is missing: {string.Join(", ", command.Subcommands.Select(sub => sub.Name))}");
        }
        else if (command.Subcommands.Count == 0)
        {
            // A token that belongs to nothing is an error of the command; those are named above.
            problems.AddRange(parsed.Errors
                .Where(e => !(e.SymbolResult is CommandResult && parsed.UnmatchedTokens.Any(token => e.Message.Contains($"'{token}'", StringComparison.Ordinal))))
                .Select(e => e.Message));
        }

        return problems;
    }

    /// <summary>A command as it is typed: <c>nanofold tokenizer train</c>.</summary>
    public static string PathOf(Command command)
        => command is RootCommand ? Program.Name : $"{PathOf(command.Parents.OfType<Command>().First())} {command.Name}";

    private static string Unknown(RootCommand root, Command command, string token)
    {
        bool isOption = token.StartsWith('-');
        IEnumerable<string> known = isOption
            ? command.Options.Concat(root.Options).Select(option => option.Name)
            : command.Subcommands.Select(sub => sub.Name);
        string what = isOption ? "option" : command == root ? "verb" : "argument";
        return $"{token}: unknown {what}{(NearestName.Among(token, known) is { } near ? $"; did you mean {near}?" : "")}";
    }
}
