using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Experiments.Coordinates;

namespace NanoFold.Engine.Experiments;

/// <summary>What says which set of runs a folder is of: a file in it.</summary>
/// <param name="Name">Of the file.</param>
/// <param name="What">What such a set is called: <c>comparison</c>.</param>
/// <param name="Text">Of the file, for this set.</param>
/// <param name="Differences">What the set that a folder holds has and this one does not, in words, so that this one cannot go on there.</param>
public sealed record SetFile(string Name, string What, string Text, Func<string, IEnumerable<string>> Differences);

/// <summary>
/// The folder of a set of runs, which several processes may begin at the same time: shards of one set, or sets that are named alike. The same set goes on in it, one with more runs adds to it, any other
/// is refused.
/// </summary>
public static class SetFolder
{
    private const int MostNamed = 4;

    // Writing what a set is takes milliseconds; on file systems of networks longer.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30), s_between = TimeSpan.FromMilliseconds(20);

    /// <summary>Writes the set into a folder, where it goes on from then on.</summary>
    /// <exception cref="UserException">The folder holds another one, or cannot be written.</exception>
    public static void Take(string folder, SetFile set)
    {
        // Before a lock is left in a folder of someone else.
        Require(folder, set);
        Locked(folder, () =>
        {
            Require(folder, set);
            Write(folder, set);
            return true;
        });
    }

    /// <summary>Takes the first folder of a name that is free (<see cref="Unused"/>); returns it.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public static string TakeUnused(string path, SetFile set) => Numbered(path).First(folder => IsFree(folder, set) && Locked(folder, () =>
    {
        // Another process may have been faster.
        bool isFree = IsFree(folder, set);
        if (isFree)
        {
            Write(folder, set);
        }

        return isFree;
    }));

    /// <summary>The first folder of a name, its name followed by a number if need be, that is not there or holds this set.</summary>
    public static string Unused(string path, SetFile set) => Numbered(path).First(folder => IsFree(folder, set));

    /// <summary>Throws where a set cannot go on in a folder.</summary>
    /// <exception cref="UserException">The folder holds another one, or files of something else.</exception>
    public static void Require(string folder, SetFile set)
    {
        if (IsBegun(folder, set))
        {
            string[] others = [.. set.Differences(folder)];
            if (others.Length > 0)
            {
                throw new UserException($"{folder}: holds another {set.What}, with {string.Join(", ", others.Take(MostNamed))}{(others.Length > MostNamed ? " and more" : "")}; give that, or name another folder with --out");
            }
        }
        else if (!IsEmpty(folder, set))
        {
            throw new UserException($"{folder}: is not empty and holds no {set.What}; name another folder with --out");
        }
    }

    private static IEnumerable<string> Numbered(string path) => Enumerable.Range(1, int.MaxValue - 1).Select(i => i == 1 ? path : FormattableString.Invariant($"{path}-{i}"));

    private static bool IsBegun(string folder, SetFile set) => File.Exists(Path.Combine(folder, set.Name));

    private static bool IsFree(string folder, SetFile set)
    {
        try
        {
            return IsBegun(folder, set) ? !set.Differences(folder).Any() : IsEmpty(folder, set);
        }
        catch (UserException)
        {
            return false;
        }
    }

    // Not there, or with nothing but a coordinate check and what a process may leave that was ended before it wrote what its set is.
    private static bool IsEmpty(string folder, SetFile set)
    {
        try
        {
            return Directory.Exists(folder) ? Directory.EnumerateFileSystemEntries(folder).All(entry => IsLeftOver(entry, set)) : !Path.Exists(folder);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", folder, e);
        }
    }

    private static bool IsLeftOver(string entry, SetFile set) => Path.GetFileName(entry) is var name
        && (name is RunLock.FileName or CoordinateCheck.FileName
            || new[] { set.Name, CoordinateCheck.FileName }.Any(file => name.StartsWith($"{file}.tmp-", StringComparison.Ordinal))
            || (name == RunSet.RunsFolder && Directory.Exists(entry) && !Directory.EnumerateFileSystemEntries(entry).Any()));

    private static void Write(string folder, SetFile set)
    {
        try
        {
            Directory.CreateDirectory(Path.Combine(folder, RunSet.RunsFolder));
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot create", folder, e);
        }

        OutputFile.Write(Path.Combine(folder, set.Name), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(set.Text)));
    }

    // Does something while no other process has the folder locked; waits for one that has.
    private static T Locked<T>(string folder, Func<T> action)
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
}
