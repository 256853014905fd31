using System.Text.Json.Nodes;
using NanoFold.Cli;

namespace NanoFold.Tests.Cli;

/// <summary>A command line that was run in this process.</summary>
internal sealed record CommandLine(int Code, string Standard, string Error)
{
    public static CommandLine Run(params string[] args)
    {
        using var standard = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = Program.Run(args, standard, error);
        return new CommandLine(code, standard.ToString(), error.ToString());
    }

    /// <summary>The one line of standard output of a command that succeeded, as JSON.</summary>
    public static JsonObject Json(params string[] args)
    {
        CommandLine run = Run([.. args, "--json"]);
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Standard.Count(c => c == '\n'), Is.EqualTo(1));
        return JsonNode.Parse(run.Standard)!.AsObject();
    }

    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
