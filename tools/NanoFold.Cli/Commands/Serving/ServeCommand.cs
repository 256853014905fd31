using System.CommandLine;
using System.Net;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text.Chat;
using NanoFold.Kernels;
using NanoFold.Server;

namespace NanoFold.Cli.Commands.Serving;

/// <summary><c>serve</c>: a model by HTTP, in the shape of OpenAI's API.</summary>
internal static class ServeCommand
{
    /// <summary>The key, where <c>--api-key</c> is not given: what is typed can be seen by others in a list of processes.</summary>
    public const string KeyVariable = "NANOFOLD_API_KEY";

    private const int DefaultPort = 8080, DefaultStreams = 8, DefaultQueue = 64, DefaultTimeout = 600, MostStreams = 1024, MostQueue = 1 << 20;

    public static void Build(VerbCommand command)
    {
        var model = new ModelOptions(command);
        Option<string?> name = command.Text("--name", "NAME", "What clients call the model; the last part of --model if not given");
        var template = new TemplateOptions(command);
        Option<string?> host = command.Text("--host", "ADDRESS", "The address to listen on; 127.0.0.1 if not given, for this machine alone. Any other one needs a key");
        Option<long?> port = command.Integer("--port", $"The port; {DefaultPort} if not given, 0 for one that is free", 0, 65535);
        Option<string?> key = command.Text("--api-key", "KEY", $"What clients must send as 'Authorization: Bearer KEY'; {KeyVariable} if not given");
        Option<long?> streams = command.Integer("--streams", $"Texts that are written at a time; {DefaultStreams} if not given. Each has a cache of the model's context", 1, MostStreams);
        Option<long?> queue = command.Integer("--queue", $"Requests that may wait besides, {DefaultQueue} if not given; the next is answered with status 429", 0, MostQueue);
        Option<long?> timeout = command.Integer("--timeout", $"Seconds that a request may take, waiting included; {DefaultTimeout} if not given", 1, 1_000_000);
        Option<long?> most = command.Integer("--max-tokens", "Tokens that a text may have at most, whatever a request asks for", 1, int.MaxValue);
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        command.JsonKeys = "address, model, requests (that were answered), promptTokens, tokens (written)";
        command.Does(invocation => Run(
            invocation,
            model.Choice(invocation),
            invocation.Get(name),
            template.File(invocation),
            new ServerOptions
            {
                Address = AddressOf(invocation.Get(host)),
                Port = (int)(invocation.Get(port) ?? DefaultPort),
                Key = invocation.Get(key) ?? (Environment.GetEnvironmentVariable(KeyVariable) is { Length: > 0 } variable ? variable : null),
                Streams = (int)(invocation.Get(streams) ?? DefaultStreams),
                Queue = (int)(invocation.Get(queue) ?? DefaultQueue),
                Timeout = TimeSpan.FromSeconds(invocation.Get(timeout) ?? DefaultTimeout),
                MostTokens = (int?)invocation.Get(most),
                Note = invocation.Output.Note,
            }));
    }

    private static int Run(Invocation invocation, ModelChoice model, string? name, string? template, ServerOptions options)
    {
        if (options.Key is null && !IPAddress.IsLoopback(options.Address))
        {
            throw UserException.Usage($"--host {options.Address}: others can reach it, so that a key is needed; give one with --api-key or {KeyVariable}");
        }

        // Ctrl-C ends in good order from here on.
        CancellationToken stop = invocation.Interrupt.Token;
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = model.Load(backend, invocation.Output.Note);
        ChatTemplate chat = TemplateOptions.Of(template, trained);
        name ??= Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model.Path)));
        if (!backend.KeepsSequencesApart)
        {
            invocation.Output.Note("this device does not keep texts apart to the last bit: a text may differ from the one that generate writes alone");
        }

        return Serve(invocation, new ServedModel(name, trained.Model, trained.Tokenizer, trained.Config.Generation, chat), template, options, stop).GetAwaiter().GetResult();
    }

    private static async Task<int> Serve(Invocation invocation, ServedModel served, string? template, ServerOptions options, CancellationToken stop)
    {
        Output output = invocation.Output;
        ModelServer server = await ModelServer.Start(served, options).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        {
            output.Line($"{server.Address}/v1 serves {served.Name}, {Display.Count(options.Streams, "text")} at a time; Ctrl-C ends");
            TemplateOptions.Tell(output, template, served.Chat);
            await Task.Delay(System.Threading.Timeout.Infinite, stop).ContinueWith(_ => { }, TaskScheduler.Default).ConfigureAwait(false);
            output.Note($"{Display.Count(server.Requests, "request")} answered, {Display.Count(server.Tokens, "token")} written");
            output.Result(new JsonObject
            {
                ["address"] = server.Address, ["model"] = served.Name, ["requests"] = server.Requests, ["promptTokens"] = server.PromptTokens, ["tokens"] = server.Tokens,
            });
        }

        return invocation.Interrupt.ExitCode ?? Faults.Done;
    }

    private static IPAddress AddressOf(string? host) => host switch
    {
        null or "localhost" => IPAddress.Loopback,
        "*" => IPAddress.Any,
        _ => IPAddress.TryParse(host, out IPAddress? address) ? address : throw UserException.Usage($"--host {host}: is no address; expected one such as 127.0.0.1, 0.0.0.0 or ::1"),
    };
}
