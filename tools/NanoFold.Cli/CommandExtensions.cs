using System.CommandLine;

namespace NanoFold.Cli;

internal static class CommandExtensions
{
    /// <summary>What a verb does; a device that was asked for and is not there ends it before.</summary>
    public static void Does(this Command command, Func<Invocation, int> action)
        => command.SetAction(parsed =>
        {
            Devices.Require(parsed.GetValue(CommonOptions.Device)!);
            InvocationConfiguration streams = parsed.InvocationConfiguration;
            return action(new Invocation(parsed, new Output(streams.Output, streams.Error, parsed.GetValue(CommonOptions.Json))));
        });

    /// <summary>Adds the keys of the JSON result to the help.</summary>
    public static void DescribeJson(this Command command, string keys)
        => command.Description += $".{Environment.NewLine}  With --json: {keys}";

    /// <summary>Adds a part of a verb.</summary>
    public static Command Sub(this Command command, string name, string description)
    {
        var sub = new Command(name, description);
        command.Add(sub);
        return sub;
    }

    /// <summary>Adds an option for text.</summary>
    public static Option<string?> Text(this Command command, string name, string helpName, string description)
    {
        var option = new Option<string?>(name) { HelpName = helpName, Description = description };
        command.Add(option);
        return option;
    }
}
