using System.CommandLine;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Completion;

/// <summary>What may follow an option, or stand as an argument.</summary>
internal enum ValueKind
{
    /// <summary>Nothing: a flag.</summary>
    None,

    /// <summary>Something that nobody can guess, such as a number.</summary>
    Any,

    /// <summary>One of a few words.</summary>
    Words,

    /// <summary>A file or folder.</summary>
    Files,

    /// <summary>A setting with its value.</summary>
    Setting,

    /// <summary>The name of a setting.</summary>
    Key,
}

/// <summary>An option as shells complete it.</summary>
/// <param name="Names">As they are typed.</param>
/// <param name="Meaning">For shells that show it.</param>
/// <param name="Kind">What follows.</param>
/// <param name="Words">Of which it is one.</param>
internal sealed record CompletionOption(IReadOnlyList<string> Names, string Meaning, ValueKind Kind, IReadOnlyList<string> Words);

/// <summary>A command: its path as it is typed, without the program's name.</summary>
/// <param name="Path">Empty for the program.</param>
/// <param name="Parts">The commands in it, each with its meaning.</param>
/// <param name="Options">Those that mean something to it.</param>
/// <param name="Argument">What its arguments are.</param>
/// <param name="Words">Of which they are one.</param>
internal sealed record CompletionCommand(
    string Path, IReadOnlyList<(string Name, string Meaning)> Parts, IReadOnlyList<CompletionOption> Options, ValueKind Argument, IReadOnlyList<string> Words);

/// <summary>Everything that can be completed, out of the command line's own description.</summary>
internal sealed class CompletionTree
{
    private readonly Command _root;
    private readonly List<CompletionCommand> _commands = [];

    /// <param name="root">With every verb complete.</param>
    /// <param name="settings">The keys of a configuration.</param>
    public CompletionTree(Command root, Settings settings)
    {
        _root = root;
        Settings = [.. settings.Keys.Where(key => !key.Key.Contains(".N.", StringComparison.Ordinal)).GroupBy(key => key.Key).Select(ValuesOf)];
        Add(root, "");
    }

    public IReadOnlyList<CompletionCommand> Commands => _commands;

    /// <summary>Each key with the words that it takes; none where nobody can guess them.</summary>
    public IReadOnlyList<(string Key, IReadOnlyList<string> Values)> Settings { get; }

    private void Add(Command command, string path)
    {
        Command[] parts = [.. command.Subcommands.Where(part => !part.Hidden)];
        Argument? argument = command.Arguments.FirstOrDefault(a => !a.Hidden);
        (ValueKind kind, string[] words) = argument is null ? (ValueKind.None, []) : Of(argument.HelpName ?? argument.Name);
        _commands.Add(new CompletionCommand(
            path, [.. parts.Select(part => (part.Name, part.Description ?? ""))], [.. VerbHelp.Options(_root, command).Select(Describe)], kind, words));
        foreach (Command part in parts)
        {
            Add(part, path.Length == 0 ? part.Name : $"{path} {part.Name}");
        }
    }

    private CompletionOption Describe(Option option)
    {
        (ValueKind kind, string[] words) = option.Arity.MaximumNumberOfValues == 0 || option is Option<bool> ? (ValueKind.None, []) : Of(option.HelpName ?? "");
        return new CompletionOption([.. option.Aliases.Append(option.Name).Where(name => name.StartsWith('-') && name != "-?").Distinct()], option.Description ?? "", kind, words);
    }

    // The name of a value in the help says what it is.
    private (ValueKind Kind, string[] Words) Of(string name) => name switch
    {
        "FILE" or "PATH" or "DIR" or "RUN" => (ValueKind.Files, []),
        "KEY=VALUE" => (ValueKind.Setting, []),
        "GLOB" => (ValueKind.Key, []),
        "VERB" => (ValueKind.Words, [.. _root.Subcommands.Select(verb => verb.Name)]),
        _ when name.Contains('|') => (ValueKind.Words, [.. name.Split('|').Where(word => !word.Any(char.IsAsciiLetterUpper))]),
        _ => (ValueKind.Any, []),
    };

    private static (string, IReadOnlyList<string>) ValuesOf(IGrouping<string, Setting> key)
    {
        string[] choices = [.. key.SelectMany(setting => setting.Choices).Select(choice => choice.Name).Distinct()];
        return (key.Key, choices.Length > 0 ? choices : key.Any(setting => setting.Type == "true or false") ? ["true", "false"] : []);
    }
}
