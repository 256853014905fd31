using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NanoFold.Cli.Commands.Chat;

/// <summary>
/// Lines of standard input. In a terminal a prompt stands before each, which the terminal itself edits, and a backslash at the end of a line goes on in the next.
/// Ctrl-C in a terminal ends the answer that is being written; where none is, the program at the second in a row.
/// </summary>
internal sealed class ChatInput : IDisposable
{
    private const string Prompt = "> ", More = "| ";

    private readonly Output _output;
    private readonly Interrupt _interrupt;
    private readonly TextReader _reader;
    private readonly Lock _gate = new();
    private CancellationTokenSource? _answer;
    private bool _wasAsked;

    public ChatInput(Output output, Interrupt interrupt)
    {
        (_output, _interrupt) = (output, interrupt);
        IsTerminal = Given is null && !Console.IsInputRedirected;
        _reader = Given ?? (IsTerminal && !OperatingSystem.IsWindows()
            ? new StreamReader(new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0), new UTF8Encoding(false), detectEncodingFromByteOrderMarks: false, bufferSize: 4096)
            : Console.In);
        interrupt.Instead = OnSignal;
    }

    /// <summary>Lines in place of standard input; for tests.</summary>
    internal static TextReader? Given { get; set; }

    /// <summary>Whether someone types.</summary>
    public bool IsTerminal { get; }

    /// <summary>The next message or command; null at the end.</summary>
    public string? Read()
    {
        string? line = ReadLine(Prompt);
        while (IsTerminal && line is not null && line.EndsWith('\\'))
        {
            string? more = ReadLine(More);
            line = more is null ? line[..^1] : $"{line[..^1]}\n{more}";
        }

        _wasAsked = false;
        return line;
    }

    /// <summary>While something is written, Ctrl-C ends that.</summary>
    public T WhileWriting<T>(Func<CancellationToken, T> write)
    {
        using var source = new CancellationTokenSource();
        lock (_gate)
        {
            _answer = source;
        }

        try
        {
            return write(source.Token);
        }
        finally
        {
            lock (_gate)
            {
                _answer = null;
            }
        }
    }

    public void Dispose() => _interrupt.Instead = null;

    private string? ReadLine(string prompt)
    {
        if (IsTerminal)
        {
            _output.Text.Write(prompt);
            _output.Text.Flush();
        }

        string? line = _reader.ReadLine();
        if (line is null && IsTerminal)
        {
            _output.Text.WriteLine();
        }

        return line;
    }

    private bool OnSignal(PosixSignal signal)
    {
        // Lines of a file go on by themselves: there the program is what is to end.
        if (signal != PosixSignal.SIGINT || !IsTerminal)
        {
            return false;
        }

        lock (_gate)
        {
            if (_answer is not null)
            {
                _answer.Cancel();
                return true;
            }
        }

        if (_wasAsked)
        {
            return false;
        }

        _wasAsked = true;
        _output.Text.WriteLine();
        _output.Note("Ctrl-C again, Ctrl-D or /exit ends the program");
        _output.Text.Write(Prompt);
        _output.Text.Flush();
        return true;
    }
}
