namespace NanoFold.Server.Requests;

/// <summary>What is wrong with a request, in a line that its sender can act on.</summary>
/// <param name="status">Of HTTP.</param>
/// <param name="message">What was expected and what came.</param>
/// <param name="param">The field that it is about, or null.</param>
/// <param name="code">A word for programs, or null.</param>
internal sealed class ApiException(int status, string message, string? param = null, string? code = null) : Exception(message)
{
    public int Status => status;

    public string? Param => param;

    public string? Code => code;

    /// <summary>The field as in OpenAI's answers: <c>invalid_request_error</c> for faults of the client.</summary>
    public string Type => status switch
    {
        401 => "authentication_error",
        429 => "rate_limit_error",
        < 500 => "invalid_request_error",
        _ => "server_error",
    };

    /// <summary>The server writes no texts any more.</summary>
    public static ApiException Ended() => new(503, "no texts are written any more: the server is being stopped, or has to be started again");

    /// <summary>A field with a value that it cannot have.</summary>
    public static ApiException Field(string name, string message) => new(400, $"{name}: {message}", name, "invalid_value");
}
