using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace NanoFold.Cli;

/// <summary>The usual help, then the keys of the verb's JSON result.</summary>
internal sealed class VerbHelp(HelpAction usual) : SynchronousCommandLineAction
{
    /// <summary>Takes the place of the usual help.</summary>
    public static void AddTo(RootCommand root)
    {
        HelpOption option = root.Options.OfType<HelpOption>().First();
        option.Action = new VerbHelp((HelpAction)option.Action!);
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int code = usual.Invoke(parseResult);
        if (parseResult.CommandResult.Command is VerbCommand { JsonKeys: { } keys })
        {
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Keys of the --json line:");
            output.WriteLine($"  {keys}");
            output.WriteLine();
        }

        return code;
    }
}
