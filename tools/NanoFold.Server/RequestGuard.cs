using System.Globalization;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using NanoFold.Engine;
using NanoFold.Server.Answers;
using NanoFold.Server.Requests;

namespace NanoFold.Server;

/// <summary>Who may come in, what is answered where something goes wrong, and what is counted of each request.</summary>
internal sealed class RequestGuard(ServerOptions options, ServerMetrics metrics)
{
    // A page of another site must not reach it by a name that it made lead here.
    private readonly string[] _names =
    [
        .. new[] { "localhost", "127.0.0.1", "[::1]", options.Address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{options.Address}]" : $"{options.Address}" }.Distinct(),
    ];

    /// <summary>Around all that a request does.</summary>
    public async Task Run(HttpContext context, RequestDelegate next)
    {
        try
        {
            if (options.Key is null && context.Request.Host.Host is var name && !IsOwnName(name))
            {
                throw new ApiException(400, $"the host is '{(name.Length > 80 ? name[..80] : name)}'; without a key this server answers as {string.Join(", ", _names)} only", code: "unknown_host");
            }

            if (options.Key is { } key && context.Request.Path != "/health" && !AccessKey.Fits(context.Request.Headers.Authorization, key))
            {
                context.Response.Headers.WWWAuthenticate = "Bearer";
                throw new ApiException(401, "a key is needed: send the header 'Authorization: Bearer KEY'", code: "invalid_api_key");
            }

            await next(context).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ConnectionResetException || (e is OperationCanceledException && context.RequestAborted.IsCancellationRequested))
        {
            // The client left; nobody reads an answer. The status is for the counters, as other servers have it.
            if (!context.Response.HasStarted)
            {
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            }
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await ErrorAnswer.Write(context, Told(e)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // A stream that took too long, or a fault in the midst of one: the client sees that it is cut off.
            if (e is not OperationCanceledException)
            {
                Told(e);
            }

            context.Abort();
        }
        finally
        {
            metrics.AddRequest(context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } path } && !path.Contains('{', StringComparison.Ordinal) ? path : "other", context.Response.StatusCode);
        }
    }

    // A browser always says a name.
    private bool IsOwnName(string name) => name.Length == 0 || _names.Contains(name, StringComparer.OrdinalIgnoreCase);

    private ApiException Told(Exception fault)
    {
        switch (fault)
        {
            case ApiException known:
                return known;
            case BadHttpRequestException bad:
                return new ApiException(bad.StatusCode, bad.StatusCode == StatusCodes.Status413PayloadTooLarge ? $"the body is longer than {options.MostBodyBytes} bytes" : bad.Message);
            case UserException user:
                return new ApiException(400, user.Message);
            default:
                options.Note($"a request failed: {fault.GetType().Name}: {fault.Message}");
                return new ApiException(500, $"{fault.GetType().Name} (a fault of this program)");
        }
    }

    /// <summary>Answers a request for which there is no room.</summary>
    public Task Refuse(HttpContext context)
    {
        // When about as many requests as are written at a time have been answered.
        int seconds = (int)Math.Clamp(Math.Ceiling(metrics.MeanSeconds), 1, 60);
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return ErrorAnswer.Write(context, new ApiException(429, $"{options.Streams + options.Queue} requests are being answered or wait; try again in {seconds} s", code: "rate_limit_exceeded"));
    }
}
