using NanoFold.Engine.Measurement;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>How many runs at the same time are fastest on the CPU.</summary>
/// <remarks>
/// One for each thread: a second thread makes a step of <c>small</c> 1.75 times as fast and sixteen hardly do more for <c>nano</c> than one (bench/README.md), where as many runs side by side lose little, and
/// what starts a process and reads its text has one thread anyway. Fewer where there are not as many runs or their memory is not there, and one where the clock ends them, for then each is to have
/// the machine.
/// </remarks>
public static class RunJobs
{
    private const double MemoryShare = 0.5;

    /// <summary>For the runs of a plan that are known before any has ended.</summary>
    public static int Fastest(IRunPlan plan, RunSetOptions options)
    {
        IReadOnlyList<PlannedRun> runs = plan.Known(new Dictionary<string, RunResult>());
        if (runs.Count == 0 || runs.Any(run => run.Config.Train.Minutes > 0))
        {
            return 1;
        }

        var sizes = new RunSizes();
        long most = runs.Max(run => sizes.Of(run.Config, RunWorks.KeyOf(run.Config)));
        int fit = (int)Math.Clamp(MemoryShare * DeviceMemory.OfHost / most, 1, options.Workers);
        int shares = options.Shard is { } shard ? (runs.Count + shard.Count - 1) / shard.Count : runs.Count;
        return Math.Max(1, Math.Min(fit, shares));
    }
}
