using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using NanoFold.Cli.Writing;

namespace NanoFold.Cli;

/// <summary>The page that <c>--help</c> shows: only what means something to the verb, in whole words, and the keys of its JSON result.</summary>
internal sealed class VerbHelp : SynchronousCommandLineAction
{
    private const string Indent = "  ";

    /// <summary>Takes the place of the usual help.</summary>
    public static void AddTo(RootCommand root) => root.Options.OfType<HelpOption>().First().Action = new VerbHelp();

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        Command command = parseResult.CommandResult.Command;
        TextWriter output = parseResult.InvocationConfiguration.Output;
        int width = Output.Columns(output);
        Section(output, "Description", [[command.Description ?? ""]], width);
        Section(output, "Usage", [[UsageOf(command)]], width);
        Section(output, "Arguments", command.Arguments.Where(a => !a.Hidden).Select(a => (string[])[Name(a), Meaning(a.Description, a.HasDefaultValue ? a.GetDefaultValue() : null)]), width);
        Section(output, "Options", Options(parseResult.RootCommandResult.Command, command).Select(o => (string[])[Name(o), Meaning(o.Description, o.HasDefaultValue && o is not Option<bool> ? o.GetDefaultValue() : null)]), width);
        Section(output, "Commands", command.Subcommands.Where(c => !c.Hidden).Select(c => (string[])[string.Join(' ', c.Arguments.Select(Name).Prepend(c.Name)), c.Description ?? ""]), width);
        if ((command as VerbCommand)?.JsonKeys is { } keys)
        {
            Section(output, "Keys of the --json line", [[string.Join(' ', keys.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))]], width);
        }

        return Faults.Done;
    }

    /// <summary>The options that mean something to a command, its own first.</summary>
    public static IEnumerable<Option> Options(Command root, Command command)
    {
        IEnumerable<Option> shared = command is VerbCommand verb ? root.Options.Where(o => o is HelpOption || verb.Means(o.Name)) : root.Options;
        return command.Options.Concat(shared).Where(o => !o.Hidden).Distinct();
    }

    private static void Section(TextWriter output, string title, IEnumerable<string[]> rows, int width)
    {
        string[][] all = [.. rows];
        if (all.Length == 0)
        {
            return;
        }

        output.WriteLine($"{title}:");
        foreach (string line in TextLayout.Table(all, numbers: false, width > 0 ? Math.Max(1, width - Indent.Length) : 0))
        {
            output.WriteLine($"{Indent}{line}");
        }

        output.WriteLine();
    }

    private static string UsageOf(Command command) => string.Join(' ',
    [
        Usage.PathOf(command),
        .. command.Arguments.Where(a => !a.Hidden).Select(a => a.Arity.MinimumNumberOfValues > 0 ? Name(a) : $"[{Name(a)}]"),
        .. command.Subcommands.Count > 0 ? ["[command]"] : (string[])[],
        "[options]",
    ]);

    private static string Name(Argument argument) => $"<{argument.HelpName ?? argument.Name}>{(argument.Arity.MaximumNumberOfValues > 1 ? "…" : "")}";

    private static string Name(Option option)
    {
        string names = string.Join(", ", option.Aliases.Where(alias => alias.StartsWith('-')).Order(StringComparer.Ordinal).Append(option.Name).Distinct());
        return option.HelpName is { } value && option.Arity.MaximumNumberOfValues > 0 ? $"{names} <{value}>" : names;
    }

    private static string Meaning(string? description, object? otherwise) => otherwise is null or "" ? description ?? "" : $"{description} [default: {otherwise}]";
}
