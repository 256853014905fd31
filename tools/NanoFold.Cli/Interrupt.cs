using System.Runtime.InteropServices;

namespace NanoFold.Cli;

/// <summary>
/// The signals that ask a process to end: Ctrl-C, <c>kill</c> (so <c>timeout</c>, <c>docker stop</c> and batch systems), a closed terminal and Ctrl-\. A verb that
/// has something to save takes <see cref="Token"/> and ends in good order at the first; any other verb ends at once, and so does every verb at the second. The
/// exit code is 128 and the signal's number, as shells have it.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private static readonly (PosixSignal Signal, int Number, string Name)[] s_signals =
    [
        (PosixSignal.SIGHUP, 1, "SIGHUP"), (PosixSignal.SIGINT, 2, "SIGINT"), (PosixSignal.SIGQUIT, 3, "SIGQUIT"), (PosixSignal.SIGTERM, 15, "SIGTERM"),
    ];

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _source = new();
    private readonly Action<int> _exit;
    private readonly PosixSignalRegistration[] _registrations;
    private bool _isTaken;

    /// <param name="exit">Ends the process at once with an exit code; null for the process itself.</param>
    public Interrupt(Action<int>? exit = null)
    {
        _exit = exit ?? Leave;
        _registrations = [.. s_signals.Select(s => PosixSignalRegistration.Create(s.Signal, OnSignal))];
    }

    /// <summary>Told the first signal's name where the verb goes on to its end in good order.</summary>
    public Action<string>? Asked { get; set; }

    /// <summary>Asked before all else what a signal means; true where it was taken care of, as one that only ends what is being written.</summary>
    public Func<PosixSignal, bool>? Instead { get; set; }

    /// <summary>Set by the first signal. Whoever takes it is left to end in good order.</summary>
    public CancellationToken Token
    {
        get
        {
            _isTaken = true;
            return _source.Token;
        }
    }

    /// <summary>128 and the number of the first signal, or null where none came.</summary>
    public int? ExitCode { get; private set; }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _source.Dispose();
    }

    /// <summary>A signal came.</summary>
    internal void Receive(PosixSignal signal)
    {
        if (Instead?.Invoke(signal) == true)
        {
            return;
        }

        (_, int number, string name) = s_signals.First(s => s.Signal == signal);
        lock (_gate)
        {
            bool isFirst = ExitCode is null;
            ExitCode ??= 128 + number;
            if (!isFirst || !_isTaken)
            {
                _exit(128 + number);
                return;
            }
        }

        Asked?.Invoke(name);
        _source.Cancel();
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        Receive(context.Signal);
    }

    private static void Leave(int code)
    {
        Terminal.Restore();
        Environment.Exit(code);
    }
}
