using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Saves a run's state elsewhere when its own folder takes no checkpoint any more: it was moved or deleted, or its disk is full or may not be written.
/// What is saved is a run of its own, with configuration, logs and one checkpoint: it goes on from there.
/// </summary>
/// <param name="run">The run's folder.</param>
/// <param name="config">Its configuration.</param>
internal sealed class RunRescue(RunFolder run, RunConfig config)
{
    /// <summary>Saves it where that is possible; gives what is to be said in the end.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="write">Writes the checkpoint into a folder of checkpoints.</param>
    /// <param name="fault">Why the run's folder did not take it.</param>
    public UserException Save(long step, Action<CheckpointFolder> write, UserException fault)
    {
        if (run.MovedTo() is { } moved && Try(() => write(new CheckpointFolder(Path.Combine(moved, RunFolder.CheckpointsFolder)))))
        {
            return new UserException($"{run.Path}: was moved to {moved} while it was written; the checkpoint of step {step} is saved there; go on with --resume {moved}", fault);
        }

        string left = Left();
        foreach (string place in Places())
        {
            if (Try(() => SaveRun(place, write)))
            {
                return new UserException($"{fault.Message.TrimEnd('.')}; the state of step {step} is saved in {place}; {left}; go on with --resume {place}", fault);
            }
        }

        return new UserException($"{fault.Message.TrimEnd('.')}; the state of step {step} is lost, for {string.Join(" and ", Places())} cannot be written either; {left}", fault);
    }

    private string Left()
    {
        if (!run.IsInPlace())
        {
            return "the checkpoints before it went with the folder";
        }

        long? newest = null;
        Try(() => newest = run.Checkpoints.Newest()?.Step);
        return newest is null ? "the run's own folder has no checkpoint" : $"the run's own folder has that of step {newest}";
    }

    // Beside the run first: that is where one looks.
    private IEnumerable<string> Places()
    {
        string name = Path.GetFileName(run.FullPath);
        return [Unused($"{run.FullPath}-rescued"), Unused(Path.Combine(Path.GetTempPath(), $"{(name.Length > 0 ? name : "run")}-rescued"))];
    }

    private static string Unused(string path)
    {
        string unused = path;
        for (int i = 2; Path.Exists(unused); i++)
        {
            unused = $"{path}-{i}";
        }

        return unused;
    }

    private void SaveRun(string place, Action<CheckpointFolder> write)
    {
        // Where the folder above has gone too, it is not made again.
        if (!Directory.Exists(Path.GetDirectoryName(place)))
        {
            throw new UserException($"{place}: there is no folder above it");
        }

        RunFolder rescued = RunFolder.Create(place);
        try
        {
            run.CopyLogsTo(rescued);
            write(rescued.Checkpoints);
            rescued.WriteConfig(config);
            rescued.Dispose();
        }
        catch
        {
            rescued.Dispose();
            Try(() => Directory.Delete(place, recursive: true));
            throw;
        }
    }

    private static bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception e) when (e is UserException || FileFault.Is(e))
        {
            return false;
        }
    }
}
