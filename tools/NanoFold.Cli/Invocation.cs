using System.CommandLine;
using System.CommandLine.Parsing;

namespace NanoFold.Cli;

/// <summary>What a verb gets: its parsed options, its output, and what asks it to end.</summary>
internal sealed class Invocation(ParseResult parsed, Interrupt interrupt)
{
    /// <summary>What asks it to end.</summary>
    public Interrupt Interrupt { get; } = interrupt;

    /// <summary>The command, to be typed again.</summary>
    public string Typed => $"{Program.Typed} {string.Join(' ', parsed.Tokens.Select(token => token.Type == TokenType.Argument ? Shell.Argument(token.Value) : token.Value))}";

    public Output Output { get; } = new(parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, parsed.GetValue<bool>(CommonOptions.Json));

    /// <summary>The device asked for, <c>auto</c> if none was.</summary>
    public string Device => parsed.GetValue<string>(CommonOptions.Device)!;

    /// <summary>Threads asked for, or all processors.</summary>
    public int Threads => (int)(parsed.GetValue<long?>(CommonOptions.Threads) ?? Environment.ProcessorCount);

    /// <summary>The seed asked for, or null.</summary>
    public long? Seed => parsed.GetValue<long?>(CommonOptions.Seed);

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    /// <summary>The names that an option was given, or others where it was not: the parser gives none for that.</summary>
    public string[] Names(Option<string[]?> option, params string[] otherwise) => Get(option) is { Length: > 0 } names ? names : otherwise;

    /// <summary>The names of a verb's own options and arguments that were given.</summary>
    public IEnumerable<string> Given(Command command)
        => [
            .. command.Arguments.Where(argument => parsed.GetResult(argument) is { Tokens.Count: > 0 }).Select(argument => argument.Name),
            .. command.Options.Where(option => parsed.GetResult(option) is { Implicit: false }).Select(option => option.Name),
        ];

    public T? Get<T>(Argument<T> argument) => parsed.GetValue(argument);
}
