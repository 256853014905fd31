using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>
/// Carries out a set of runs, each in an ordinary run folder <c>runs/NAME</c> and in a process of its own: begins them, goes on with those that were stopped, and leaves alone
/// those that are over. The same call goes on where it was stopped.
/// </summary>
/// <param name="plan">Which runs.</param>
/// <param name="options">How.</param>
/// <param name="starter">Starts a run.</param>
public sealed class RunSet(IRunPlan plan, RunSetOptions options, IRunStarter starter)
{
    /// <summary>The folder of a run.</summary>
    public static string FolderOf(string set, string run) => Path.Combine(set, "runs", run);

    /// <summary>Carries it out.</summary>
    /// <param name="observer">Told how it goes, or null.</param>
    /// <param name="stop">Saves and stops what goes on.</param>
    public RunSetSummary Run(IRunSetObserver? observer = null, CancellationToken stop = default) => throw new NotImplementedException($"{plan} {options} {starter} {observer} {stop} {nameof(RunResult)}");
}
