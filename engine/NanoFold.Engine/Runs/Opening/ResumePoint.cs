using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Runs;

/// <summary>Where a run is taken up again: at its newest checkpoint, or at the one that was named.</summary>
/// <param name="Run">The run's folder.</param>
/// <param name="Step">The step to go back to; null for the newest.</param>
public sealed record ResumePoint(string Run, long? Step)
{
    /// <summary>What a path means: a run's folder, or <c>RUN/checkpoints/step-000500</c> or a link to it.</summary>
    /// <exception cref="UserException">It is a checkpoint that lies in no run.</exception>
    public static ResumePoint Of(string path)
    {
        if (!SavedRun.IsCheckpoint(path))
        {
            return new ResumePoint(path, null);
        }

        string named = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var folder = new DirectoryInfo(named);
        string full = folder.LinkTarget is null ? named : folder.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? named;
        string? checkpoints = Path.GetDirectoryName(full), run = Path.GetDirectoryName(checkpoints);
        return CheckpointFolder.TryParseName(Path.GetFileName(full), out long step)
            && Path.GetFileName(checkpoints) == RunFolder.CheckpointsFolder
            && File.Exists(Path.Combine(run!, RunConfig.FileName))
            ? new ResumePoint(run!, step)
            : throw new UserException($"{path}: is a checkpoint outside of its run, which cannot go on there; name the run's folder, or begin a new run with these weights by --init {path}");
    }

    /// <summary>The checkpoint to go on from; null where the run has none yet.</summary>
    /// <exception cref="UserException">There is none of that step.</exception>
    internal Checkpoint? Find(CheckpointFolder checkpoints)
    {
        IReadOnlyList<Checkpoint> all = checkpoints.List();
        return Step is null
            ? all.LastOrDefault()
            : all.FirstOrDefault(checkpoint => checkpoint.Step == Step)
                ?? throw new UserException($"{Run}: has no checkpoint of step {Step}; it has {(all.Count == 0 ? "none" : "those of " + string.Join(", ", all.Select(c => c.Step)))}");
    }
}
