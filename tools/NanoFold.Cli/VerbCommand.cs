using System.CommandLine;
using System.CommandLine.Parsing;
using System.Reflection;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;

namespace NanoFold.Cli;

/// <summary>A verb, or a part of one.</summary>
internal sealed class VerbCommand(string name, string description) : Command(name, description)
{
    /// <summary>The keys of its JSON result, for its help.</summary>
    public string? JsonKeys { get; set; }

    /// <summary>Which of the options that every verb takes mean something to this one, besides <c>--json</c>; null for all of them.</summary>
    public IReadOnlyList<string>? Common { get; set; }

    /// <summary>Whether an option that every verb takes means something to this one.</summary>
    public bool Means(string common) => Subcommands.Count == 0 && CommonOptions.Names.Contains(common) && (common == CommonOptions.Json || Common?.Contains(common) != false);

    /// <summary>Adds a part.</summary>
    public VerbCommand Sub(string name, string description)
    {
        var sub = new VerbCommand(name, description);
        Add(sub);
        return sub;
    }

    /// <summary>Adds an option for text.</summary>
    public Option<string?> Text(string name, string helpName, string description)
    {
        var option = new Option<string?>(name) { HelpName = helpName, Description = description };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: "" }])
            {
                result.AddError($"{name}: is empty; expected {helpName}");
            }
        });
        Add(option);
        return option;
    }

    /// <summary>Adds an option for a whole number.</summary>
    public Option<long?> Integer(string name, string description, long minimum, long maximum)
    {
        Option<long?> option = IntegerOption.Create(name, description, minimum, maximum);
        Add(option);
        return option;
    }

    /// <summary>Adds an option for a number within the bounds of a setting.</summary>
    /// <param name="settings">The record of the setting.</param>
    /// <param name="property">The setting's property.</param>
    public Option<double?> Number(string name, string helpName, string description, Type settings, string property)
    {
        Option<double?> option = NumberOption.Create(name, helpName, description, settings.GetProperty(property)!.GetCustomAttribute<BoundsAttribute>()!);
        Add(option);
        return option;
    }

    /// <summary>Adds an option for text, given once or several times, which may be empty.</summary>
    public Option<string[]> Texts(string name, string helpName, string description)
    {
        var option = new Option<string[]>(name) { HelpName = helpName, Description = description, Arity = ArgumentArity.OneOrMore };
        Add(option);
        return option;
    }

    /// <summary>Adds an option for whole numbers separated by commas.</summary>
    public Option<int[]?> Integers(string name, string description, int minimum, int maximum)
    {
        Option<int[]?> option = IntegerListOption.Create(name, description, minimum, maximum);
        Add(option);
        return option;
    }

    /// <summary>Adds an option for some of a few names, or all.</summary>
    public Option<string[]?> Names(string name, string description, IReadOnlyList<string> known)
    {
        Option<string[]?> option = NameListOption.Create(name, description, known);
        Add(option);
        return option;
    }

    /// <summary>Adds an option without a value.</summary>
    public Option<bool> Flag(string name, string description)
    {
        var option = new Option<bool>(name) { Description = description };
        Add(option);
        return option;
    }

    /// <summary>What it does; a device that was asked for and is not there ends it before, a signal on the way.</summary>
    public void Does(Func<Invocation, int> action)
        => SetAction(parsed =>
        {
            using var interrupt = new Interrupt();
            var invocation = new Invocation(parsed, interrupt);
            Devices.Require(invocation.Device);
            if (Means(CommonOptions.Threads) && invocation.Threads > Environment.ProcessorCount)
            {
                invocation.Output.Note($"{CommonOptions.Threads} {invocation.Threads}: this machine has {Display.Count(Environment.ProcessorCount, "processor")}; those beyond have no part in it");
            }

            try
            {
                int done = action(invocation);
                string[] meaningless = [.. Meaningless(parsed)];
                if (meaningless.Length > 0)
                {
                    invocation.Output.Note($"{string.Join(", ", meaningless)} {(meaningless.Length == 1 ? "means" : "mean")} nothing to {Usage.PathOf(this)}");
                }

                return done;
            }
            catch (OperationCanceledException) when (interrupt.ExitCode is { } code)
            {
                invocation.Output.Note("interrupted");
                return code;
            }
        });

    // What was given and changes nothing.
    private IEnumerable<string> Meaningless(ParseResult parsed) =>
    [
        .. CommonOptions.Names.Where(name => !Means(name) && IsGiven(parsed.GetResult(name))),
        .. Options.Where(option => option.Hidden && IsGiven(parsed.GetResult(option))).Select(option => option.Name),
    ];

    private static bool IsGiven(SymbolResult? result) => result is OptionResult { Implicit: false };
}
