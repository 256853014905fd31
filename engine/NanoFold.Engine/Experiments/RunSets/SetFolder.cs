using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Experiments;

/// <summary>The folder of a set of runs, which several processes may begin at the same time: shards of one set, or sets that are named alike.</summary>
public static class SetFolder
{
    // Writing what a set is takes milliseconds; on file systems of networks longer.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30), s_between = TimeSpan.FromMilliseconds(20);

    /// <summary>Throws where a folder has files and none of them says that it is of such a set; asked before anything is written into it.</summary>
    /// <param name="folder">Of the set.</param>
    /// <param name="file">What says which set it is.</param>
    /// <param name="what">What such a set is called.</param>
    /// <exception cref="UserException">It has.</exception>
    public static void RequireOwnOrEmpty(string folder, string file, string what)
    {
        if (!File.Exists(Path.Combine(folder, file)) && !IsEmpty(folder, file))
        {
            throw new UserException($"{folder}: is not empty and holds no {what}; name another folder with --out");
        }
    }

    /// <summary>Whether a folder is not there, or has nothing but what a process may leave that was ended before it wrote what its set is.</summary>
    public static bool IsEmpty(string folder, string file)
    {
        try
        {
            return Directory.Exists(folder)
                ? Directory.EnumerateFileSystemEntries(folder).All(entry => Path.GetFileName(entry) is var name
                    && (name == RunLock.FileName || name.StartsWith($"{file}.tmp-", StringComparison.Ordinal) || (name == RunSet.RunsFolder && Directory.Exists(entry) && !Directory.EnumerateFileSystemEntries(entry).Any())))
                : !Path.Exists(folder);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", folder, e);
        }
    }

    /// <summary>Does something while no other process has the folder locked; waits for one that has.</summary>
    /// <exception cref="FolderInUseException">It is locked for long.</exception>
    /// <exception cref="UserException">It cannot be written.</exception>
    public static T Locked<T>(string folder, Func<T> action)
    {
        for (long began = Environment.TickCount64; ; Thread.Sleep(s_between))
        {
            try
            {
                using var held = RunLock.Acquire(folder);
                return action();
            }
            catch (FolderInUseException) when (Environment.TickCount64 - began < s_patience.TotalMilliseconds)
            {
                // Another process is writing what its set is.
            }
        }
    }

    /// <inheritdoc cref="Locked{T}"/>
    public static void Locked(string folder, Action action) => Locked(folder, () =>
    {
        action();
        return true;
    });
}
