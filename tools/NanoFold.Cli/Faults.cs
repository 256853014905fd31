using NanoFold.Cli.Writing;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;

namespace NanoFold.Cli;

/// <summary>How exceptions end a command: what is said and with which exit code.</summary>
internal static class Faults
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;
    public const int Interrupted = 130;

    /// <summary>Set to see stack traces.</summary>
    public const string TraceVariable = "NANOFOLD_TRACE";

    /// <summary>Says in a line what happened (a line for each problem of a configuration), and returns the exit code.</summary>
    public static int Report(Exception exception, TextWriter error)
    {
        (int code, IEnumerable<string> lines) = exception switch
        {
            ConfigException e => (e.ExitCode, e.Problems.Select(problem => problem.ToString())),
            UserException e => (e.ExitCode, [e.Message]),
            OutOfMemoryException => (Failed, ["there is not enough memory for this; a smaller --batch, --context or model takes less"]),
            OperationCanceledException => (Interrupted, ["interrupted"]),
            InvalidDataException => (Failed, [exception.Message]),
            _ when FileFault.Is(exception) => (Failed, [FileFault.Explain(exception)]),
            _ => (Failed, Unexpected(exception)),
        };
        try
        {
            foreach (string line in lines)
            {
                Output.Note(error, OneLine(line));
            }

            if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(TraceVariable)))
            {
                error.WriteLine(exception);
            }
        }
        catch (OutputException)
        {
            // Nobody reads it.
        }

        return code;
    }

    private static IEnumerable<string> Unexpected(Exception exception)
        => [$"{exception.GetType().Name}: {exception.Message} (a fault of this program; {TraceVariable}=1 shows where it happened)"];

    private static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
