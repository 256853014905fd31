using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>A run of a set.</summary>
/// <param name="Name">Of its folder, <c>runs/NAME</c> in the folder of the set; unlike all others, also on file systems that do not tell cases apart.</param>
/// <param name="Group">Runs of a group are carried out in one shard (<see cref="Shard"/>): those that depend on each other's results. A run that depends on none has its own name here.</param>
/// <param name="Config">Resolved, its vocabulary known or not.</param>
public sealed record PlannedRun(string Name, string Group, RunConfig Config);

/// <summary>The runs of a set. Which ones there are may depend on how earlier ones ended.</summary>
public interface IRunPlan
{
    /// <summary>How many there are in the end, also of those that are not known yet.</summary>
    int Total { get; }

    /// <summary>
    /// The runs that are known by now, those that have ended too, most urgent first. Called again when a run has ended; what it gave once it gives again, and it depends on nothing
    /// but what has ended, so that the same command goes on where it was stopped.
    /// </summary>
    /// <param name="ended">How each run ended that did; of a run whose name is not in it nothing is known yet.</param>
    IReadOnlyList<PlannedRun> Known(IReadOnlyDictionary<string, RunResult> ended);
}

/// <summary>Runs that do not depend on each other.</summary>
public sealed class IndependentRuns(IReadOnlyList<PlannedRun> runs) : IRunPlan
{
    /// <inheritdoc/>
    public int Total => runs.Count;

    /// <inheritdoc/>
    public IReadOnlyList<PlannedRun> Known(IReadOnlyDictionary<string, RunResult> ended) => runs;
}
