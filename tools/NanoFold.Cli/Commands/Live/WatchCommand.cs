using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;

namespace NanoFold.Cli.Commands.Live;

/// <summary><c>watch</c>: the page of a run in a browser of this machine, with its curves as they grow.</summary>
internal static class WatchCommand
{
    private const int DefaultPort = 8642;

    public static void Build(VerbCommand command)
    {
        var runs = new Argument<string[]>("RUN")
        {
            Description = "A run folder, several of them side by side, or the folder of a comparison or of a grid of scaling",
            Arity = ArgumentArity.OneOrMore,
        };
        command.Add(runs);
        Option<long?> port = command.Integer("--port", $"The port of this machine; {DefaultPort} if not given, 0 for one that is free", 0, 65535);
        command.Common = [];
        command.JsonKeys = "address, requests (that were answered)";
        command.Does(invocation => Run(invocation, invocation.Get(runs)!, (int)(invocation.Get(port) ?? DefaultPort)));
    }

    private static int Run(Invocation invocation, string[] paths, int port)
    {
        var page = new WatchedPage(paths, $"{Program.Typed} report {string.Join(' ', paths.Select(Shell.Argument))}");
        // What is wrong with the folders is said before anything is served.
        page.Html(isWhole: false);
        using var server = new LoopbackServer(port, path => Answer(page, path));
        invocation.Output.Line($"{server.Address} shows {string.Join(", ", paths)} as it grows; Ctrl-C ends");
        server.Run(invocation.Interrupt.Token).GetAwaiter().GetResult();
        invocation.Output.Result(new JsonObject { ["address"] = server.Address, ["requests"] = server.Requests });
        return invocation.Interrupt.ExitCode ?? Faults.Done;
    }

    /// <summary>The whole page, the page without its scripts, or whether there is something new.</summary>
    internal static Reply Answer(WatchedPage page, string path) => path switch
    {
        "/" => Reply.Html(page.Html(isWhole: true)),
        "/page" => Reply.Html(page.Html(isWhole: false)),
        "/version" => Reply.Text(page.Version),
        _ => Reply.Text("there is nothing here", 404),
    };
}
