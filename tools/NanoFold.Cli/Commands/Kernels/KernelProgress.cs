using NanoFold.Engine;

namespace NanoFold.Cli.Commands.Kernels;

/// <summary>How far it is: a line that changes in a terminal, elsewhere one every half a minute.</summary>
internal sealed class KernelProgress(Output output, int count, string what) : IDisposable
{
    private const int DrawMs = 200, QuietMs = 30_000;

    private readonly Lock _gate = new();
    private readonly bool _isTerminal = output.IsTerminal;
    private long _said = Environment.TickCount64;
    private int _done;

    /// <summary>One more is done.</summary>
    public void Step()
    {
        lock (_gate)
        {
            _done++;
            if (Environment.TickCount64 - _said < (_isTerminal ? DrawMs : QuietMs))
            {
                return;
            }

            _said = Environment.TickCount64;
            string line = $"{Display.Count(_done)} of {Display.Count(count, "program")} {what}";
            if (_isTerminal)
            {
                output.Text.Write($"\r{line}  ");
                output.Text.Flush();
            }
            else
            {
                output.Note(line);
            }
        }
    }

    public void Dispose()
    {
        if (_isTerminal)
        {
            output.Text.Write($"\r{new string(' ', Math.Max(0, Output.Columns(output.Text) - 1))}\r");
        }
    }
}
