using System.Diagnostics;

namespace NanoFold.Engine.Experiments;

/// <summary>Carries out each run in a process of its own, so that one that crashes takes no other with it and every run is measured alike.</summary>
/// <param name="program">Comes to <see cref="RunChild"/> where <see cref="RunProtocol.Variable"/> is set.</param>
public sealed class ProcessRuns(ProgramStart program) : IRunStarter
{
    /// <inheritdoc/>
    public bool HasProcesses => true;

    /// <inheritdoc/>
    public IRunningRun Start(RunOrder order, Action<RunReport> report) => new RunProcess(program, order, report);
}

internal sealed class RunProcess : IRunningRun
{
    private readonly Process _process;
    private readonly Action<RunReport> _report;
    private readonly LastLines _lines = new();
    private readonly Thread _reader;

    public RunProcess(ProgramStart program, RunOrder order, Action<RunReport> report)
    {
        _report = report;
        ProcessStartInfo info = program.ToInfo();
        info.Environment[RunProtocol.Variable] = "1";
        try
        {
            _process = Process.Start(info)!;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException)
        {
            throw new UserException($"{program.File}: cannot be started for a run: {e.Message}", e);
        }

        _process.ErrorDataReceived += (_, e) => _lines.Add(e.Data);
        _process.BeginErrorReadLine();
        Say(RunProtocol.Write(order));
        _reader = new Thread(Read) { IsBackground = true, Name = order.Folder };
        _reader.Start();
    }

    public void Stop() => Say(RunProtocol.StopWord);

    public void Dispose()
    {
        _reader.Join();
        _process.Dispose();
    }

    private void Say(string line)
    {
        try
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has ended; what it said is being read.
        }
    }

    private void Read()
    {
        RunReport? last = null;
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            if (RunProtocol.ReadReport(line) is not { } report)
            {
                _lines.Add(line);
            }
            else if (report.Outcome is null)
            {
                _report(report);
            }
            else
            {
                last = report;
            }
        }

        _process.WaitForExit();
        _report(last ?? new RunReport
        {
            Outcome = RunOutcome.Failed, Note = _lines.Problem(_process.ExitCode), Output = _lines.All, IsEndedBySignal = LastLines.IsAskedToEnd(_process.ExitCode),
        });
    }
}

/// <summary>The last lines that a process wrote besides its reports.</summary>
internal sealed class LastLines
{
    private const int Most = 40;
    private const int SignalBase = 128;

    // What .NET writes above the places in the program where it happened.
    private static readonly string[] s_heads = ["Unhandled exception.", "Fatal error.", "Out of memory.", "Stack overflow."];

    private readonly Queue<string> _lines = [];

    /// <summary>Whether an exit code is that of a process which HUP, INT, QUIT or TERM ended.</summary>
    public static bool IsAskedToEnd(int exitCode) => exitCode - SignalBase is 1 or 2 or 3 or 15;

    public IReadOnlyList<string> All
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public void Add(string? line)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        lock (_lines)
        {
            _lines.Enqueue(line);
            if (_lines.Count > Most)
            {
                _lines.Dequeue();
            }
        }
    }

    /// <summary>What a process that ended without a last report has said of it, in a line.</summary>
    public string Problem(int exitCode)
    {
        IReadOnlyList<string> lines = All;
        string? told = lines.LastOrDefault(line => s_heads.Any(head => line.StartsWith(head, StringComparison.Ordinal))) ?? lines.LastOrDefault(line => !line.StartsWith("   at ", StringComparison.Ordinal));
        string how = exitCode switch
        {
            SignalBase + 9 => "its process was killed (signal 9), as the system does where memory runs out",
            > SignalBase and < SignalBase + 65 when !OperatingSystem.IsWindows() => FormattableString.Invariant($"its process was ended by signal {exitCode - SignalBase}"),
            _ => FormattableString.Invariant($"its process ended with exit code {exitCode}"),
        };
        return told is null ? how : $"{how}: {told.Trim()}";
    }
}
