using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>The runs of a set that are known, and where each of them is.</summary>
internal sealed class RunRoster
{
    private readonly IRunPlan _plan;
    private readonly RunSetOptions _options;
    private readonly RunShares? _shares;
    private readonly RunWorks _works = new();
    private readonly Dictionary<string, RunEntry> _byName = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<RunEntry> _entries = [];

    public RunRoster(IRunPlan plan, RunSetOptions options)
    {
        (_plan, _options) = (plan, options);
        if (options.Shard is { } shard)
        {
            _shares = new RunShares([.. plan.Known(new Dictionary<string, RunResult>()).Select(run => (run, _works.Of(run.Config)))], shard.Count);
        }

        Refresh();
    }

    /// <summary>In the order of the plan.</summary>
    public IReadOnlyList<RunEntry> Entries => _entries;

    public RunSetStatus Status => new([.. _entries.Select(entry => entry.Status)], Math.Max(_plan.Total, _entries.Count), SetClock.Left(_entries, _plan.Total, _options));

    /// <summary>Looks at the folders, and asks the plan which runs there are now.</summary>
    public void Refresh()
    {
        for (int known = -1; known < _entries.Count;)
        {
            known = _entries.Count;
            foreach (RunEntry entry in _entries)
            {
                Look(entry);
            }

            IReadOnlyList<PlannedRun> runs = _plan.Known(_entries.Where(entry => entry.Status.Result is not null).ToDictionary(entry => entry.Run.Name, entry => entry.Status.Result!));
            foreach (PlannedRun run in runs)
            {
                Add(run);
            }
        }
    }

    /// <summary>Looks at how far runs are that other processes carry out.</summary>
    public void GlanceElsewhere()
    {
        foreach (RunEntry entry in _entries.Where(entry => entry.Status.State is RunState.Elsewhere or RunState.OtherShard))
        {
            entry.Status = RunGlance.Of(entry.Status, entry.Work);
        }
    }

    private void Add(PlannedRun run)
    {
        if (_byName.TryGetValue(run.Name, out RunEntry? known))
        {
            if (known.Run.Name != run.Name)
            {
                throw new ArgumentException($"the runs {known.Run.Name} and {run.Name} have names that not every file system tells apart");
            }

            return;
        }

        var entry = new RunEntry(run, RunSet.FolderOf(_options.Folder, run.Name)) { Work = _works.Of(run.Config) };
        bool isOwn = _shares is null || _shares.ShardOf(run.Group) == _options.Shard!.Value.Index - 1;
        entry.Status = RunGlance.Of(entry.Status with { State = isOwn ? RunState.Waiting : RunState.OtherShard }, entry.Work);
        _byName[run.Name] = entry;
        _entries.Add(entry);
        Look(entry);
    }

    // What another process, or an earlier start, has ended. A run that failed is tried once more by each start.
    private static void Look(RunEntry entry)
    {
        RunState state = entry.Status.State;
        if (state is not (RunState.Waiting or RunState.Elsewhere or RunState.OtherShard) || !Directory.Exists(entry.Status.Folder))
        {
            return;
        }

        if (RunResult.Find(entry.Status.Folder) is { IsOver: true } result)
        {
            entry.Status = RunGlance.Of(entry.Status, entry.Work) with { State = RunState.Over, Result = result, Note = result.Problem };
        }
        else if (state == RunState.Elsewhere && IsFree(entry.Status.Folder))
        {
            entry.Status = entry.Status with { State = RunState.Waiting, Note = null };
        }
    }

    private static bool IsFree(string folder)
    {
        try
        {
            RunLock.Acquire(folder).Dispose();
            return true;
        }
        catch (UserException)
        {
            return false;
        }
    }
}
