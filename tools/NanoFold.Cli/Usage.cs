using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli;

/// <summary>What is wrong with a command line.</summary>
internal static class Usage
{
    /// <summary>Every problem, in a line each.</summary>
    public static IReadOnlyList<string> Problems(RootCommand root, ParseResult parsed)
    {
        if (parsed.Action is not ParseErrorAction)
        {
            return [];
        }

        Command command = parsed.CommandResult.Command;
        IReadOnlyList<string> unmatched = parsed.UnmatchedTokens;
        if (unmatched.Count > 0)
        {
            // What follows an unknown option may be its value.
            string[] options = [.. unmatched.Where(token => token.StartsWith('-'))];
            return options.Length == 0 && IsAfterData(parsed)
                ? [$"{unmatched[0]}: --data takes one path: name a folder, or a pattern in quotes such as --data '*.txt'"]
                : [.. (options.Length > 0 ? options : unmatched).Select(token => Unknown(root, command, token))];
        }

        return command.Subcommands.Count > 0
            ? [$"{(command == root ? "a verb" : $"what to do with {command.Name}")} is missing: {string.Join(", ", command.Subcommands.Select(sub => sub.Name))}"]
            : [.. parsed.Errors.Select(Describe)];
    }

    /// <summary>A command as it is typed: <c>nanofold tokenizer train</c>.</summary>
    public static string PathOf(Command command)
        => command is RootCommand ? Program.Name : $"{PathOf(command.Parents.OfType<Command>().First())} {command.Name}";

    // The shell makes several paths of a pattern without quotes.
    private static bool IsAfterData(ParseResult parsed)
    {
        string[] tokens = [.. parsed.Tokens.Select(token => token.Value)];
        int first = Array.IndexOf(tokens, parsed.UnmatchedTokens[0]);
        return first >= 2 && tokens[first - 2] == "--data";
    }

    private static string Describe(ParseError error) => error.SymbolResult switch
    {
        OptionResult { Tokens.Count: 0, Option: { } option } => $"{option.Name}: its value is missing; expected {option.HelpName}",
        OptionResult { Tokens.Count: > 1, Option: { Arity.MaximumNumberOfValues: 1 } option } given => $"{option.Name}: is given {given.Tokens.Count} times; it takes one value",
        _ => error.Message,
    };

    private static string Unknown(RootCommand root, Command command, string token)
    {
        bool isOption = token.StartsWith('-');
        IEnumerable<string> known = isOption
            ? command.Options.Concat(root.Options).Select(option => option.Name)
            : command.Subcommands.Select(sub => sub.Name);
        if (isOption && SettingAliases.OfOption(token) is { } key && command.Options.Any(option => option.Name == "--set"))
        {
            string? own = command.Options.FirstOrDefault(option => option.Description?.EndsWith($"({key})", StringComparison.Ordinal) == true)?.Name;
            return $"{token}: unknown option; did you mean {own ?? $"--set {key}=…"}?";
        }

        string what = isOption ? "option" : command == root ? "verb" : "argument";
        return $"{token}: unknown {what}{(NearestName.Among(token, known) is { } near ? $"; did you mean {near}?" : "")}";
    }
}
