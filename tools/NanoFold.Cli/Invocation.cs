using System.CommandLine;

namespace NanoFold.Cli;

/// <summary>What a verb gets: its parsed options and its output.</summary>
internal sealed class Invocation(ParseResult parsed, Output output)
{
    public Output Output => output;

    /// <summary>Threads asked for, or all processors.</summary>
    public int Threads => (int)(Get(CommonOptions.Threads) ?? Environment.ProcessorCount);

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    public T? Get<T>(Argument<T> argument) => parsed.GetValue(argument);

    /// <summary>Whether an option is on the command line.</summary>
    public bool Has(Option option) => parsed.GetResult(option) is { Implicit: false };
}
