using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Runs.Imports;

/// <summary>A new folder that is complete or absent: written beside under another name, flushed, and renamed.</summary>
internal static class ImportFolder
{
    /// <summary>Throws where something is there already.</summary>
    public static void RequireFree(string path)
    {
        if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
        {
            throw new UserException($"--out {path}: is there already and holds something; name another folder");
        }
    }

    /// <summary>Makes it.</summary>
    /// <param name="path">Where.</param>
    /// <param name="write">Writes into the folder that becomes it.</param>
    /// <exception cref="UserException">It cannot be written; then nothing is left of it.</exception>
    public static T Write<T>(string path, Func<string, T> write)
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), beside = $"{target}.partial-{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(beside);
            T result = write(beside);
            if (Directory.Exists(target))
            {
                Directory.Delete(target);
            }

            Directory.Move(beside, target);
            return result;
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            TakeBack(beside);
            throw FileFault.Describe("cannot write", path, e);
        }
        catch
        {
            TakeBack(beside);
            throw;
        }
    }

    /// <summary>Writes a file of it to the disk.</summary>
    public static void WriteFile(string folder, CheckpointFile file)
    {
        Directory.CreateDirectory(folder);
        using FileStream stream = PlainFile.CreateNew(Path.Combine(folder, file.Name));
        file.Write(stream);
        stream.Flush(flushToDisk: true);
    }

    private static void TakeBack(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            // What could not be written is the fault to report.
        }
    }
}
