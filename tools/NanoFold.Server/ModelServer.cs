using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.RateLimiting;
using NanoFold.Engine;
using NanoFold.Server.Answers;
using NanoFold.Server.Requests;

namespace NanoFold.Server;

/// <summary>
/// Serves a model by HTTP in the shape of OpenAI's API: <c>/v1/completions</c>, <c>/v1/chat/completions</c>, <c>/v1/models</c>, and <c>/health</c> and
/// <c>/metrics</c>. It is ASP.NET Core's minimal API on Kestrel with its rate limiter and time limits. Texts of all requests are written side by side by a
/// <see cref="Engine.Generation.Batching.TextBatch"/> on a thread of their own.
/// </summary>
public sealed class ModelServer : IAsyncDisposable
{
    private const string Limited = "texts";

    private const int MostHeaderBytes = 32 << 10;

    private readonly ServedModel _served;
    private readonly ServerOptions _options;
    private readonly ServerMetrics _metrics = new();
    private readonly RequestGuard _guard;
    private readonly DecodeThread _decode;
    private readonly Answerer _answerer;
    private readonly WebApplication _app;
    private readonly long _started = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private ModelServer(ServedModel served, ServerOptions options)
    {
        (_served, _options) = (served, options);
        _guard = new RequestGuard(options, _metrics);
        _decode = new DecodeThread(served, options, _metrics);
        _answerer = new Answerer(_decode, served.Tokenizer, _metrics);
        _app = Build();
    }

    /// <summary>Where it listens, with the port that it got.</summary>
    public string Address => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Requests answered so far.</summary>
    public long Requests => _metrics.Requests;

    /// <summary>Tokens of prompts taken in.</summary>
    public long PromptTokens => _metrics.PromptTokens;

    /// <summary>Tokens written.</summary>
    public long Tokens => _metrics.Tokens;

    /// <summary>Starts to serve.</summary>
    /// <exception cref="UserException">The port is taken, the address is none of this machine, or another than a loopback address has no key.</exception>
    public static async Task<ModelServer> Start(ServedModel served, ServerOptions options)
    {
        if (options.Key is null && !IPAddress.IsLoopback(options.Address))
        {
            throw UserException.Usage($"{options.Address} can be reached by others: a key is needed, which clients send as 'Authorization: Bearer KEY'");
        }

        if (options.Key is { } key && !AccessKey.CanBeSent(key))
        {
            throw UserException.Usage("the key cannot be sent in a header: expected letters, digits and signs of ASCII, and no space at an end");
        }

        var server = new ModelServer(served, options);
        try
        {
            await server._app.StartAsync().ConfigureAwait(false);
            return server;
        }
        catch (Exception e)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw e is IOException or System.Net.Sockets.SocketException
                ? new UserException($"{options.Address}, port {options.Port.ToString(CultureInfo.InvariantCulture)}, cannot be listened on: {(e.InnerException ?? e).Message}; choose another one", e)
                : e;
        }
    }

    /// <summary>Ends: what is being written is cut off.</summary>
    public async ValueTask DisposeAsync()
    {
        _decode.Dispose();
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    private WebApplication Build()
    {
        // Nothing is read from files or the environment: the options say all.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = _options.MostBodyBytes;
            kestrel.Limits.MaxRequestHeadersTotalSize = MostHeaderBytes;
            kestrel.Listen(_options.Address, _options.Port);
        });
        builder.Services.AddRouting();
        builder.Services.AddRequestTimeouts(limits => limits.DefaultPolicy = new RequestTimeoutPolicy
        {
            Timeout = _options.Timeout,
            TimeoutStatusCode = StatusCodes.Status504GatewayTimeout,
            WriteTimeoutResponse = context => ErrorAnswer.Write(context, new ApiException(504, $"not done after {_options.Timeout.TotalSeconds:0.#} s, the time limit of this server", code: "timeout")),
        });
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limiter.OnRejected = (rejected, _) => new ValueTask(_guard.Refuse(rejected.HttpContext));
            limiter.AddConcurrencyLimiter(Limited, places => (places.PermitLimit, places.QueueLimit) = (_options.Streams + _options.Queue, 0));
        });
        WebApplication app = builder.Build();
        app.Use(_guard.Run);
        app.UseRouting();
        app.UseRequestTimeouts();
        app.UseRateLimiter();
        app.MapMethods("/health", ["GET", "HEAD"], () => Answer(
            new JsonObject { ["status"] = _decode.IsAlive ? "ok" : "failed" }, _decode.IsAlive ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable));
        app.MapGet("/metrics", () => Results.Text(_metrics.ToText(_decode, _options), "text/plain; version=0.0.4; charset=utf-8"));
        app.MapGet("/v1/models", () => Answer(new JsonObject { ["object"] = "list", ["data"] = new JsonArray(Description()) }));
        app.MapGet("/v1/models/{**name}", (string name) => name == _served.Name
            ? Answer(Description())
            : throw new ApiException(404, $"there is no '{name}' here; this server has '{_served.Name}'", "model", "model_not_found"));
        app.MapPost("/v1/completions", context => Complete(context, CompletionRequest.Read, (name, fields) => new CompletionShape(name, fields))).RequireRateLimiting(Limited);
        app.MapPost("/v1/chat/completions", context => Complete(context, ChatRequest.Read, (name, fields) => new ChatShape(name, fields))).RequireRateLimiting(Limited);
        app.MapFallback("{**path}", context => ErrorAnswer.Write(context, new ApiException(
            404, "there is nothing here; known are POST /v1/completions and /v1/chat/completions, GET /v1/models, /health and /metrics", code: "unknown_url")));
        return app;
    }

    private static IResult Answer(JsonObject answer, int status = StatusCodes.Status200OK) => Results.Text(FiniteJson.Clean(answer)!.ToJsonString(Answerer.Line) + "\n", "application/json; charset=utf-8", statusCode: status);

    private JsonObject Description() => new()
    {
        ["id"] = _served.Name, ["object"] = "model", ["created"] = _started, ["owned_by"] = "nanofold", ["context_length"] = _served.Context, ["parameters"] = _served.Model.Store.Parameters.Sum(parameter => parameter.Layout.Count),
    };

    private async Task Complete(HttpContext context, Func<JsonElement, ServedModel, ServerOptions, TextJob> read, Func<string, TextFields, AnswerShape> shapeOf)
    {
        if (!_decode.IsAlive)
        {
            throw ApiException.Ended();
        }

        using JsonDocument body = await Body(context).ConfigureAwait(false);
        TextJob job;
        try
        {
            job = read(body.RootElement, _served, _options);
        }
        catch (InvalidOperationException e)
        {
            // Thrown where a text is read: half of a surrogate pair, or bytes that are no UTF-8.
            throw new ApiException(400, $"the body has a text that is no Unicode: {e.Message}", code: "invalid_json");
        }

        AnswerShape shape = shapeOf(_served.Name, job.Fields);
        CancellationToken left = context.RequestAborted;
        IResult result = job.Fields.Streams
            ? TypedResults.ServerSentEvents(_answerer.Events(job, shape, left))
            : Answer(await _answerer.Whole(job, shape, left).ConfigureAwait(false));
        await result.ExecuteAsync(context).ConfigureAwait(false);
    }

    private async Task<JsonDocument> Body(HttpContext context)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new ApiException(415, $"the body is {context.Request.ContentType ?? "of no type"}; expected the header 'Content-Type: application/json'");
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        patience.CancelAfter(_options.BodyTimeout);
        try
        {
            return await JsonDocument.ParseAsync(context.Request.Body, default, patience.Token).ConfigureAwait(false);
        }
        catch (JsonException e)
        {
            throw new ApiException(400, $"the body is no JSON: {e.Message}", code: "invalid_json");
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            context.Response.Headers.Connection = "close";
            throw new ApiException(408, $"the body was not there after {_options.BodyTimeout.TotalSeconds:0.#} s");
        }
    }
}
