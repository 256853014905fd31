using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using NanoFold.Engine;

namespace NanoFold.Cli.Commands.Live;

/// <summary>What is answered to a request.</summary>
/// <param name="Status">Of HTTP.</param>
/// <param name="Type">Of the content.</param>
/// <param name="Content">Text.</param>
internal readonly record struct Reply(int Status, string Type, string Content)
{
    public static Reply Html(string content) => new(200, "text/html; charset=utf-8", content);

    public static Reply Text(string content, int status = 200) => new(status, "text/plain; charset=utf-8", content);
}

/// <summary>
/// A server of HTTP/1.1 for this machine alone: it listens on the loopback address, answers GET and HEAD and closes. A request for another host's name is refused, so
/// that no page of another site can read what is answered (DNS rebinding).
/// </summary>
internal sealed class LoopbackServer : IDisposable
{
    private const int MostHeadBytes = 16 << 10;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly TcpListener _listener;
    private readonly Func<string, Reply> _answer;

    /// <param name="port">0 for one that is free.</param>
    /// <param name="answer">What a path gets; called on several threads.</param>
    /// <exception cref="UserException">The port is taken.</exception>
    public LoopbackServer(int port, Func<string, Reply> answer)
    {
        _answer = answer;
        _listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            _listener.Start();
        }
        catch (SocketException e)
        {
            _listener.Dispose();
            throw new UserException($"port {port.ToString(CultureInfo.InvariantCulture)} of this machine cannot be listened on: {e.Message}; choose another one with --port", e);
        }
    }

    /// <summary>Where it is.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    /// <summary>Requests answered.</summary>
    public long Requests { get; private set; }

    /// <summary>Answers until it is asked to end.</summary>
    public async Task Run(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(stop).ConfigureAwait(false);
                Requests++;
                // One that takes its time does not keep others waiting.
                _ = Task.Run(() => Serve(client), CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // A client that left again.
            }
        }
    }

    public void Dispose() => _listener.Dispose();

    private async Task Serve(TcpClient client)
    {
        using (client)
        using (var patience = new CancellationTokenSource(s_patience))
        {
            try
            {
                NetworkStream stream = client.GetStream();
                if (await ReadHead(stream, patience.Token).ConfigureAwait(false) is { } head)
                {
                    await stream.WriteAsync(Bytes(Answer(head), isWhole: !head.StartsWith("HEAD ", StringComparison.Ordinal)), patience.Token).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                // A client that left, or has not asked in time.
            }
        }
    }

    private Reply Answer(string head)
    {
        string[] lines = head.Split("\r\n");
        if (lines[0].Split(' ') is not [var method, ['/', ..] target, ['H', 'T', 'T', 'P', '/', '1', ..]])
        {
            return Reply.Text("not a request", 400);
        }

        if (method is not ("GET" or "HEAD"))
        {
            return Reply.Text("only GET", 405);
        }

        string host = lines.Skip(1).Where(line => line.StartsWith("Host:", StringComparison.OrdinalIgnoreCase)).Select(line => line[5..].Trim()).FirstOrDefault("");
        string name = host.LastIndexOf(':') is var colon and > 0 ? host[..colon] : host;
        if (name is not ("127.0.0.1" or "localhost"))
        {
            return Reply.Text("only for this machine", 403);
        }

        try
        {
            return _answer(target.Split('?')[0]);
        }
        catch (UserException e)
        {
            return Reply.Text(e.Message, 500);
        }
    }

    // Up to the empty line; null where there is none.
    private static async Task<string?> ReadHead(NetworkStream stream, CancellationToken stop)
    {
        byte[] buffer = new byte[MostHeadBytes];
        for (int count = 0; count < buffer.Length;)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(count), stop).ConfigureAwait(false);
            if (read == 0)
            {
                return null;
            }

            count += read;
            string text = Encoding.ASCII.GetString(buffer, 0, count);
            if (text.IndexOf("\r\n\r\n", StringComparison.Ordinal) is var end and > 0)
            {
                return text[..end];
            }
        }

        return null;
    }

    private static byte[] Bytes(Reply reply, bool isWhole)
    {
        byte[] content = Encoding.UTF8.GetBytes(reply.Content);
        string reason = reply.Status switch { 200 => "OK", 400 => "Bad Request", 403 => "Forbidden", 404 => "Not Found", 405 => "Method Not Allowed", _ => "Internal Server Error" };
        string head = string.Create(CultureInfo.InvariantCulture,
            $"HTTP/1.1 {reply.Status} {reason}\r\nContent-Type: {reply.Type}\r\nContent-Length: {content.Length}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
        return [.. Encoding.ASCII.GetBytes(head), .. isWhole ? content : []];
    }
}
