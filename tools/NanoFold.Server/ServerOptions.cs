using System.Net;

namespace NanoFold.Server;

/// <summary>Where a model is served, and how much at a time.</summary>
public sealed record ServerOptions
{
    /// <summary>The address that is listened on. Any but a loopback address needs <see cref="Key"/>.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>0 for one that is free.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>What a client must send as <c>Authorization: Bearer KEY</c>; null for none.</summary>
    public string? Key { get; init; }

    /// <summary>Texts that are written at a time.</summary>
    public int Streams { get; init; } = 8;

    /// <summary>Requests that may wait besides; another one is answered with 429.</summary>
    public int Queue { get; init; } = 64;

    /// <summary>A request that takes longer, its time in the queue included, is ended.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Tokens that a text may have at most, whatever a request asks for; null for any number.</summary>
    public int? MostTokens { get; init; }

    /// <summary>Bytes of a request's body at most.</summary>
    public long MostBodyBytes { get; init; } = 8 << 20;

    /// <summary>A request whose body is not there by then is ended.</summary>
    public TimeSpan BodyTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Told of what goes wrong inside, in a line.</summary>
    public Action<string> Note { get; init; } = _ => { };
}
