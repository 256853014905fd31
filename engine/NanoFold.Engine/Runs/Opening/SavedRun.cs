using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange;

namespace NanoFold.Engine.Runs;

/// <summary>What lies in the folder of a run, for those who read it.</summary>
public static class SavedRun
{
    /// <summary>Throws where there is no run to go on with.</summary>
    public static void Require(string path)
    {
        if (!File.Exists(Path.Combine(path, RunConfig.FileName)))
        {
            throw new UserException(Directory.Exists(path)
                ? $"{path}: is not a run folder (it has no {RunConfig.FileName}); --resume takes the folder that train wrote"
                : $"{path}: there is no such run folder; --resume takes the folder that train wrote");
        }
    }

    /// <summary>The configuration of a run or checkpoint folder.</summary>
    public static RunConfig LoadConfig(string path)
    {
        try
        {
            return RunConfig.Load(path);
        }
        catch (ConfigException e) when (e.Problems.All(problem => problem.UnknownKind is not null))
        {
            string lacking = string.Join(", ", e.Problems.Select(problem => $"\"{problem.UnknownKind}\" ({problem.Path})"));
            throw new ElsewhereFault($"{Path.Combine(path, RunConfig.FileName)}: has kinds that this program does not have: {lacking}; use the program that it was made with", e);
        }
        catch (ConfigException e)
        {
            throw new UserException($"{Path.Combine(path, RunConfig.FileName)}: is damaged: {e.Message}", e);
        }
    }

    /// <summary>
    /// The checkpoint that a path names: itself, or the best of a run folder, or its newest; or the model of another program, which is one by itself.
    /// </summary>
    public static string FindCheckpoint(string path)
    {
        if (ForeignModel.IsForeign(path))
        {
            return path;
        }

        if (!Directory.Exists(path))
        {
            throw new UserException(File.Exists(path)
                ? $"{path}: is a file; name the folder of a run or checkpoint"
                : $"{path}: there is no such run or checkpoint folder");
        }

        path = Path.TrimEndingDirectorySeparator(path);
        if (IsCheckpoint(path))
        {
            return path;
        }

        var checkpoints = new CheckpointFolder(Path.Combine(path, RunFolder.CheckpointsFolder));
        Checkpoint? found = checkpoints.Best()?.Checkpoint ?? checkpoints.Newest();
        return found?.Path ?? throw new UserException($"{path}: holds no checkpoint; name a run folder of train, or one of its checkpoints");
    }

    /// <summary>The folder of the run that a checkpoint is of; null where it is of none.</summary>
    internal static string? RunOf(string checkpoint) =>
        Path.GetDirectoryName(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(checkpoint)))) is { } run && File.Exists(Path.Combine(run, RunConfig.FileName)) ? run : null;

    /// <summary>Whether a path is that of a checkpoint, by its name or by what it holds.</summary>
    internal static bool IsCheckpoint(string path)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        return ForeignModel.IsForeign(path) || File.Exists(Path.Combine(path, ModelFile.Name))
            || (CheckpointFolder.TryParseName(name, out _) && !File.Exists(Path.Combine(path, RunFolder.MetricsFile)));
    }
}

/// <summary>A fault that lies outside of a run: no other checkpoint of it would be better.</summary>
internal class ElsewhereFault(string message, Exception? innerException = null) : UserException(message, innerException);
