using NanoFold.Kernels;
using NanoFold.Kernels.Null;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Autograd;

/// <summary>Counts what a recording costs: it runs on a backend that computes nothing, where every kernel says what its call would cost.</summary>
internal sealed class DryRun : IDisposable
{
    private const int InitialEvents = 1 << 10;

    private readonly EventLog _log = new(InitialEvents);
    private readonly NullBackend _null;

    /// <param name="like">Its kernels are those found; null for a backend with every kernel.</param>
    public DryRun(Backend? like = null)
    {
        _null = new NullBackend(like);
        Backend = new ProfiledBackend(_null, _log);
    }

    /// <summary>Where to record.</summary>
    public Backend Backend { get; }

    /// <summary>The cost of <paramref name="calls"/> of <see cref="Backend"/>.</summary>
    public KernelCost Of(Action calls)
    {
        Note(calls);
        KernelCost cost = default;
        foreach (ref readonly ProfileEvent noted in _log.Events)
        {
            cost += noted.Cost;
        }

        return cost;
    }

    /// <summary>The cost of each call of a plan that was recorded on <see cref="Backend"/>.</summary>
    public IReadOnlyList<(PlanStep Step, KernelCost Cost)> Of(Plan plan)
    {
        plan.Bind(Backend.Allocate(plan.ArenaBytes));
        Note(() => plan.Run(_log));
        var costs = new List<(PlanStep Step, KernelCost Cost)>();
        foreach (ref readonly ProfileEvent noted in _log.Events)
        {
            // Kernels follow the call that they are made by.
            if (noted.Kind == EventKind.Op)
            {
                costs.Add(((PlanStep)noted.Source, default));
            }
            else
            {
                costs[^1] = (costs[^1].Step, costs[^1].Cost + noted.Cost);
            }
        }

        return costs;
    }

    public void Dispose()
    {
        Backend.Dispose();
        _null.Dispose();
    }

    private void Note(Action calls)
    {
        _log.IsOn = true;
        do
        {
            _log.Clear();
            calls();
        }
        while (_log.Dropped > 0 && !_log.Reserve());

        _log.IsOn = false;
    }
}
