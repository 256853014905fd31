using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Runs;

/// <summary>What a new run makes before its first checkpoint and was not there, so that a run that could not begin leaves nothing.</summary>
internal sealed class MadeFiles
{
    // The innermost first.
    private readonly string[] _paths;

    private MadeFiles(string[] paths) => _paths = paths;

    /// <summary>Of a run that is there.</summary>
    public static MadeFiles None { get; } = new([]);

    /// <summary>Of a run that is to be in a folder.</summary>
    public static MadeFiles Of(string path)
    {
        string config = Path.Combine(path, RunConfig.FileName);
        var missing = new List<string>([config + PlainFile.New, config]);
        missing.AddRange(new[] { RunFolder.MetricsFile, RunFolder.GeometryFile, EventFile.Name, RunLock.FileName, ChatTemplate.FileName, PreferenceReference.FileName }.Select(name => Path.Combine(path, name)).Where(file => !File.Exists(file)));
        missing.AddRange(new[] { Path.Combine(path, RunFolder.CheckpointsFolder) }.Where(folder => !Directory.Exists(folder)));
        for (string? folder = Path.GetFullPath(path); folder is not null && !Directory.Exists(folder); folder = Path.GetDirectoryName(folder))
        {
            missing.Add(folder);
        }

        return new MadeFiles([.. missing]);
    }

    /// <summary>Deletes it again, and closes the lock.</summary>
    /// <param name="held">The folder's lock; null where it is somebody else's, whose files stay. Held to the end, so that nobody else's is taken away.</param>
    public void TakeBack(RunLock? held)
    {
        // Windows does not delete what is open.
        if (OperatingSystem.IsWindows())
        {
            held?.Dispose();
        }

        try
        {
            foreach (string path in _paths)
            {
                if (Directory.Exists(path))
                {
                    Directory.Delete(path);
                }
                else if (held is not null && File.Exists(path))
                {
                    File.Delete(path);
                }
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            // It belongs to someone else by now or cannot be deleted; the fault that ended the run is the one to report.
        }

        held?.Dispose();
    }
}
