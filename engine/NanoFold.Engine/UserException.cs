namespace NanoFold.Engine;

/// <summary>
/// Something the user can mend: a bad file, setting or argument, a full disk. The message is one line that names the thing and
/// says what is wrong with it or what to do; the command line prints it without a stack trace and ends with <see cref="ExitCode"/>.
/// </summary>
public class UserException : Exception
{
    public UserException(string message, Exception? innerException = null)
        : base(OneLine(message), innerException)
    {
    }

    /// <summary>The exit code of the process: 1 failed, 2 wrong usage.</summary>
    public int ExitCode { get; protected init; } = 1;

    /// <summary>A command line that cannot be understood: exit code 2.</summary>
    public static UserException Usage(string message) => new(message) { ExitCode = 2 };

    // Text out of files and of the system's own messages may hold line breaks and other control characters.
    private static string OneLine(string message)
    {
        return string.Create(message.Length, message, static (line, text) =>
        {
            for (int i = 0; i < line.Length; i++)
            {
                line[i] = char.IsControl(text[i]) ? ' ' : text[i];
            }
        });
    }
}
