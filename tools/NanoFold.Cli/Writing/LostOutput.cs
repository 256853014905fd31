using NanoFold.Engine;

namespace NanoFold.Cli.Writing;

/// <summary>
/// What happens where output can be written no more. A pipe or terminal that was closed ends the program at once and quietly, with the code that a shell
/// gives for SIGPIPE; anything else, such as a full disk, is an error. A verb with something to save ends in good order first: see <see cref="Instead"/>.
/// </summary>
internal static class LostOutput
{
    /// <summary>128 and the number of SIGPIPE.</summary>
    public const int ClosedCode = 141;

    // EPIPE, EIO (of a terminal that is gone), ECONNRESET on Linux and macOS.
    private static readonly int[] s_closed = [32, 5, 104, 54];

    private static Action? s_instead;

    /// <summary>The exit code that a loss asks for, and what is to be said of it, or null where nothing was lost.</summary>
    public static (int Code, string? Message)? Last { get; private set; }

    /// <summary>Whether nobody reads any more.</summary>
    public static bool IsClosed(Exception exception) => !OperatingSystem.IsWindows() && exception is IOException && Array.IndexOf(s_closed, exception.HResult) >= 0;

    /// <summary>Ends the verb, in the way it wants.</summary>
    /// <exception cref="OutputException">It wants no other.</exception>
    public static void Report(Exception cause)
    {
        UserException described = FileFault.Describe("cannot write", "standard output", cause);
        bool isFirst = Last is null;
        Last ??= IsClosed(cause) ? (ClosedCode, null) : (Faults.Failed, described.Message);
        if (s_instead is null)
        {
            throw new OutputException(described.Message, cause);
        }

        if (isFirst)
        {
            s_instead();
        }
    }

    /// <summary>Until it is disposed, this is done at the first loss; the verb then goes on, and what it writes is dropped.</summary>
    public static IDisposable Instead(Action end)
    {
        s_instead = end;
        return new Registration();
    }

    /// <summary>Forgets it; for tests.</summary>
    internal static void Reset() => Last = null;

    private sealed class Registration : IDisposable
    {
        public void Dispose() => s_instead = null;
    }
}

/// <summary>Output can be written no more; see <see cref="LostOutput.Last"/>.</summary>
internal sealed class OutputException(string message, Exception inner) : Exception(message, inner);
