using System.Collections.Concurrent;
using System.Diagnostics;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>
/// Carries out a set of runs, each in an ordinary run folder <c>runs/NAME</c> and, where the program can be started again, in a process of its own: begins them, goes on with those that were stopped,
/// and leaves alone those that are over. The same call goes on where it was stopped. A run that fails takes no other with it; its folder then has a result that says why.
/// </summary>
public sealed class RunSet
{
    /// <summary>The folder in a set's folder in which each run has its own.</summary>
    public const string RunsFolder = "runs";

    private const int TickMs = 250, GlanceMs = 5000;

    // A signal to a group of processes reaches this one about when it ends the others.
    private const int SignalMs = 500;

    // Of the machine's memory, what processes may take together; the rest is the system's.
    private const double MemoryShare = 0.8;

    private readonly RunSetOptions _options;
    private readonly IRunStarter _starter;
    private readonly int _jobs;
    private readonly RunRoster _roster;
    private readonly RunSizes _sizes = new();
    private readonly BlockingCollection<(RunEntry Entry, RunReport Report)> _reports = [];
    private readonly List<RunEntry> _running = [];
    private bool _isStopping;

    /// <param name="plan">Which runs.</param>
    /// <param name="options">How.</param>
    /// <param name="starter">Starts a run.</param>
    /// <exception cref="UserException">It cannot be carried out so, see <see cref="Check"/>.</exception>
    public RunSet(IRunPlan plan, RunSetOptions options, IRunStarter starter)
    {
        Check(plan, options);
        _starter = starter;
        _jobs = starter.HasProcesses ? options.Jobs ?? 1 : 1;
        _options = options with { Jobs = _jobs };
        _roster = new RunRoster(plan, _options);
    }

    /// <summary>Where every run is now.</summary>
    public RunSetStatus Status => _roster.Status;

    /// <summary>The threads of each run: those of all divided by the jobs, so that speeds of runs compare.</summary>
    public int ThreadsOfRun => _options.ThreadsOf(_jobs);

    /// <summary>The folder of a run.</summary>
    public static string FolderOf(string set, string run) => Path.Combine(set, RunsFolder, run);

    /// <summary>Throws where a set cannot be carried out so; asked before anything is written.</summary>
    /// <exception cref="UserException">There are more jobs than threads or processors, or a text that can be read only once.</exception>
    public static void Check(IRunPlan plan, RunSetOptions options)
    {
        if (options.Jobs is { } jobs && (jobs < 1 || jobs > options.Workers))
        {
            throw UserException.Usage($"--jobs {jobs}: expected 1 to {options.Workers}, for each run has a thread and a processor at least");
        }

        foreach (DataConfig data in plan.Known(new Dictionary<string, RunResult>()).Select(run => run.Config.Data).Distinct())
        {
            CheckText(data);
        }
    }

    /// <summary>Throws where a text can be read only once; asked before it is read.</summary>
    /// <exception cref="UserException">It can, and every run of a set reads it.</exception>
    public static void CheckText(DataConfig data)
    {
        if (new[] { ("--data", data.Path), ("data.validation", data.Validation) }.FirstOrDefault(text => text.Item2 is not null && Corpus.CanBeReadOnce(text.Item2)) is (var option, { } path))
        {
            throw UserException.Usage($"{option} {path}: can be read only once, and every run of a set reads it; keep the text in a file and name that");
        }
    }

    /// <summary>Carries it out.</summary>
    /// <param name="observer">Told how it goes, or null.</param>
    /// <param name="stop">Saves and stops what goes on.</param>
    public RunSetSummary Run(IRunSetObserver? observer = null, CancellationToken stop = default)
    {
        long began = Stopwatch.GetTimestamp(), glanced = Environment.TickCount64;
        RunSetEnd end = RunSetEnd.Done;
        try
        {
            while (true)
            {
                if (end == RunSetEnd.Done)
                {
                    end = stop.IsCancellationRequested ? RunSetEnd.Interrupted
                        : Stopwatch.GetElapsedTime(began) >= _options.Time ? RunSetEnd.OutOfTime
                        : RunSetEnd.Done;
                    if (end == RunSetEnd.Done)
                    {
                        Begin(observer);
                    }
                    else
                    {
                        _isStopping = true;
                        _running.ForEach(entry => entry.Running!.Stop());
                    }
                }

                if (_running.Count == 0)
                {
                    break;
                }

                Listen(observer, stop);
                if (Environment.TickCount64 - glanced > GlanceMs)
                {
                    glanced = Environment.TickCount64;
                    _roster.GlanceElsewhere();
                }

                observer?.Progressed(_roster.Status);
            }
        }
        finally
        {
            // Whoever is told may have thrown: what goes on is saved all the same.
            _isStopping |= _running.Count > 0;
            _running.ForEach(entry => entry.Running!.Stop());
            while (_running.Count > 0)
            {
                Listen(observer: null, stop);
            }
        }

        RunSetStatus status = _roster.Status;
        bool isLeft = status.Runs.Any(run => run.State is RunState.Waiting or RunState.Stopped);
        return new RunSetSummary(isLeft ? end : RunSetEnd.Done, status, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private void Begin(IRunSetObserver? observer)
    {
        while (_running.Count < _jobs && NextThatFits() is { } entry)
        {
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(entry.Status.Folder)!);
                entry.Begin(_starter.Start(
                    new RunOrder(entry.Status.Folder, entry.Run.Config, _options.Device, ThreadsOfRun), report => _reports.Add((entry, report))));
            }
            catch (Exception e) when (FileFault.Is(e))
            {
                throw FileFault.Describe("cannot create", entry.Status.Folder, e);
            }

            _running.Add(entry);
        }
    }

    // A run that does not fit beside others waits for them; alone it is begun in any case, and says itself what is too large.
    private RunEntry? NextThatFits()
    {
        IEnumerable<RunEntry> waiting = _roster.Entries.Where(entry => entry.Status.State == RunState.Waiting);
        if (_jobs == 1 || _running.Count == 0)
        {
            return waiting.FirstOrDefault();
        }

        double left = (MemoryShare * DeviceMemory.OfHost) - _running.Sum(_sizes.Of);
        return waiting.FirstOrDefault(entry => _sizes.Of(entry) <= left);
    }

    // Waits for what runs tell, not longer than a display may stand still.
    private void Listen(IRunSetObserver? observer, CancellationToken stop)
    {
        for (int wait = TickMs; _reports.TryTake(out (RunEntry Entry, RunReport Report) told, wait); wait = 0)
        {
            (RunEntry entry, RunReport report) = told;
            entry.Took(report);
            if (report.Outcome is { } outcome)
            {
                entry.End(outcome, report, isStopped: report.IsEndedBySignal && (_isStopping || stop.WaitHandle.WaitOne(SignalMs)));
                _running.Remove(entry);
                _roster.Refresh();
                observer?.Ended(entry.Status);
            }
        }
    }
}
