using NanoFold.Engine;
using NanoFold.Reports;

namespace NanoFold.Cli.Commands.Live;

/// <summary>
/// The page of a run, made again beside training as it goes on: never more than one at a time, and after the first one not so often that it would take more than a
/// thirtieth of a processor. A page that cannot be made is said once and does not end the run.
/// </summary>
internal sealed class LiveReport(string run, Action<string> note, TimeProvider clock)
{
    private const int MostShare = 30;

    private readonly string _file = Path.Combine(run, Report.FileName);
    private readonly string _command = $"{Program.Typed} report {Shell.Argument(run)}";
    private Task? _making;
    private long _due = clock.GetTimestamp();
    private bool _hasFailed, _isMade;

    /// <summary>Seconds after which an open page reads itself again, and the least between two makings.</summary>
    public int EverySeconds { get; init; } = 10;

    /// <summary>Where the page is.</summary>
    public string File => _file;

    /// <summary>Makes the page where that is due; returns at once.</summary>
    public void Tick()
    {
        if (clock.GetTimestamp() >= _due && _making is not { IsCompleted: false })
        {
            _due = long.MaxValue;
            _making = Task.Run(() => Make(isLast: false));
        }
    }

    /// <summary>Makes the page as it stays: one that does not read itself again.</summary>
    public void Finish()
    {
        _making?.Wait();
        Make(isLast: true);
    }

    private void Make(bool isLast)
    {
        long started = clock.GetTimestamp();
        try
        {
            ReportPage page = Report.Of([run], _command);
            page.Live = isLast ? null : new LivePage(EverySeconds, IsServed: false);
            page.Save(_file);
        }
        catch (Exception e) when (e is UserException || FileFault.Is(e))
        {
            if (!_hasFailed)
            {
                _hasFailed = true;
                note($"the report is not written: {e.Message}");
            }
        }

        // The first one is slow as all code is that runs for the first time.
        double wait = _isMade ? Math.Max(EverySeconds, MostShare * clock.GetElapsedTime(started).TotalSeconds) : EverySeconds;
        _isMade = true;
        Volatile.Write(ref _due, clock.GetTimestamp() + (long)(wait * clock.TimestampFrequency));
    }
}
