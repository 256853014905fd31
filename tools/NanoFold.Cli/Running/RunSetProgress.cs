using NanoFold.Engine.Experiments;
using Spectre.Console;

namespace NanoFold.Cli.Running;

/// <summary>How carrying out a set of runs looks: a table that moves in a terminal, elsewhere a line for each run that ends, and one now and then.</summary>
internal sealed class RunSetProgress : IRunSetObserver
{
    private const int QuietMs = 60_000, DrawMs = 500;

    private readonly Output _output;
    private readonly IAnsiConsole _console;
    private readonly bool _isTerminal;
    private LiveDisplayContext? _live;
    private long _said = Environment.TickCount64;
    private long _drawn;
    private volatile string? _heard;

    public RunSetProgress(Output output)
    {
        _output = output;
        _isTerminal = output.IsTerminal;
        _console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output.Text) });
    }

    /// <summary>Carries it out under the table, where there is a terminal.</summary>
    public T Show<T>(Func<T> carryOut) => !_isTerminal
        ? carryOut()
        : _console.Live(new Text("")).AutoClear(true).Overflow(VerticalOverflow.Crop).Start(context =>
        {
            _live = context;
            try
            {
                return carryOut();
            }
            finally
            {
                _live = null;
            }
        });

    /// <summary>A signal asks for the end: says that it was heard, for steps may take long.</summary>
    public void Asked(string signal)
    {
        string heard = $"{signal}: every run that goes on is saved and stopped; once more ends at once";
        if (_live is null)
        {
            _output.Note(heard);
        }
        else
        {
            // This is not the thread that draws.
            _heard = heard;
        }
    }

    private void Note(string line)
    {
        if (_live is null)
        {
            _output.Note(line);
        }
        else
        {
            Line($"{Program.Name}: {line}");
        }
    }

    public void Ended(RunStatus run)
    {
        if (run.State is RunState.Failed or RunState.Elsewhere)
        {
            Note(RunSetTable.Ended(run));
        }
        else if (_live is null)
        {
            Line(RunSetTable.Ended(run));
        }

        _said = Environment.TickCount64;
    }

    public void Progressed(RunSetStatus status)
    {
        long now = Environment.TickCount64;
        if (_heard is { } heard)
        {
            _heard = null;
            Note(heard);
        }

        if (_live is { } live && now - _drawn >= DrawMs)
        {
            _drawn = now;
            live.UpdateTarget(new Text(string.Join('\n', RunSetTable.Lines(status, Math.Max(1, Output.Columns(_output.Text)), Rows())), Style.Plain));
        }
        else if (_live is null && now - _said >= QuietMs)
        {
            _said = now;
            Line(RunSetTable.Summary(status));
        }
    }

    private void Line(string text)
    {
        if (_live is null)
        {
            _output.Line(text);
        }
        else
        {
            // Over what stood there: only a part of it is cleared.
            int columns = Output.Columns(_output.Text);
            foreach (string line in Writing.TextLayout.Wrap(text, columns - 1))
            {
                _console.WriteLine(line.PadRight(columns - 1));
            }
        }
    }

    private static int Rows()
    {
        try
        {
            return Console.WindowHeight;
        }
        catch (IOException)
        {
            return 24;
        }
    }
}
