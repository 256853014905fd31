using System.Globalization;
using System.Text.Json;
using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Checkpoints;

/// <summary>
/// The folder that holds a run's checkpoints, <c>step-000500</c> and so on. A checkpoint is complete or absent: it is written
/// beside under another name, its files and folder are flushed to the disk, then it is renamed. What a writer that was killed
/// left behind is recognized by its name and cleared up by the next one. Writing, marking and pruning are for the holder of the
/// run's <see cref="RunLock"/>; anyone may list and read.
/// </summary>
public sealed class CheckpointFolder
{
    private const string StepPrefix = "step-";
    // A checkpoint being written; one that makes way for another of the same step; one being deleted.
    private const string PartialPrefix = ".partial-";
    private const string ReplacedPrefix = ".replaced-";
    private const string DeletedPrefix = ".deleted-";
    private const string BestName = "best.json";

    public CheckpointFolder(string path) => Path = path;

    public string Path { get; }

    /// <summary>The name of a step's checkpoint: <c>step-000500</c>.</summary>
    public static string NameOf(long step) => StepPrefix + step.ToString("D6", CultureInfo.InvariantCulture);

    /// <summary>The step of a checkpoint's name; false for any other name.</summary>
    public static bool TryParseName(string name, out long step)
    {
        step = -1;
        return name.StartsWith(StepPrefix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(StepPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out step)
            && NameOf(step) == name;
    }

    /// <summary>The complete checkpoints, by step; none where the folder does not exist.</summary>
    /// <exception cref="UserException">The folder cannot be read.</exception>
    public IReadOnlyList<Checkpoint> List() => Guard("cannot read", () =>
    {
        var checkpoints = new List<Checkpoint>();
        if (Directory.Exists(Path))
        {
            foreach (string folder in Directory.EnumerateDirectories(Path, StepPrefix + "*"))
            {
                if (TryParseName(System.IO.Path.GetFileName(folder), out long step))
                {
                    checkpoints.Add(new Checkpoint(step, folder));
                }
            }
        }

        checkpoints.Sort(static (a, b) => a.Step.CompareTo(b.Step));
        return checkpoints;
    });

    /// <summary>The checkpoint of the highest step, or null.</summary>
    public Checkpoint? Newest() => List().LastOrDefault();

    /// <summary>The checkpoint marked as the best and its loss, or null where none is marked or it is gone.</summary>
    public (Checkpoint Checkpoint, double Loss)? Best()
    {
        try
        {
            string path = System.IO.Path.Combine(Path, BestName);
            if (!File.Exists(path))
            {
                return null;
            }

            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            long step = json.RootElement.GetProperty("step").GetInt64();
            double loss = json.RootElement.GetProperty("loss").GetDouble();
            return List().FirstOrDefault(checkpoint => checkpoint.Step == step) is { } found ? (found, loss) : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new UserException($"{System.IO.Path.Combine(Path, BestName)}: is not {{\"step\": N, \"loss\": X}}; delete it to have the best marked anew", exception);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot read", Path, exception);
        }
    }

    /// <summary>Writes a checkpoint, or nothing; one of the same step is replaced.</summary>
    /// <param name="step">Steps taken.</param>
    /// <param name="files">What goes into it.</param>
    /// <param name="last">Makes one more file out of what the others were when they were written.</param>
    /// <returns>The complete checkpoint.</returns>
    /// <exception cref="UserException">The folder cannot be written, or the disk is full.</exception>
    /// <exception cref="ArgumentException">A file's name is not a plain one.</exception>
    public Checkpoint Write(long step, IReadOnlyList<CheckpointFile> files, Func<IReadOnlyList<FileSeal>, CheckpointFile>? last = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (files.FirstOrDefault(file => file.Name.Length == 0 || System.IO.Path.GetFileName(file.Name) != file.Name) is { } odd)
        {
            throw new ArgumentException($"checkpoint: '{odd.Name}' is not a plain file name", nameof(files));
        }

        string name = NameOf(step);
        return Guard("cannot write", () =>
        {
            PlainFile.RequireNoLink(Path);
            Directory.CreateDirectory(Path);
            ClearLeftovers();
            string partial = Directory.CreateDirectory(System.IO.Path.Combine(Path, PartialPrefix + name)).FullName;
            try
            {
                FileSeal[] seals = [.. files.Select(file => WriteFlushed(partial, file))];
                if (last is not null)
                {
                    WriteFlushed(partial, last(seals));
                }

                FileSystemSync.FlushFolder(partial);
            }
            catch
            {
                Remove(partial);
                throw;
            }

            return new Checkpoint(step, MoveInPlace(partial, name));
        });
    }

    /// <summary>Notes which checkpoint is the best so far, with its loss in nats per token.</summary>
    public void MarkBest(long step, double loss) => Guard("cannot write", () =>
    {
        PlainFile.RequireNoLink(Path);
        string path = System.IO.Path.Combine(Path, BestName);
        WriteFlushed(Path, new CheckpointFile(BestName + PlainFile.New, stream => JsonSerializer.Serialize(stream, new { step, loss })));
        File.Move(path + PlainFile.New, path, overwrite: true);
        FileSystemSync.FlushFolder(Path);
    });

    /// <summary>Deletes all but the newest <paramref name="keep"/> checkpoints, the best one and, where asked for, that of step 0.</summary>
    public void Prune(int keep, bool keepStart = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        long? best = Best()?.Checkpoint.Step;
        Guard("cannot delete from", () =>
        {
            foreach (Checkpoint checkpoint in List().SkipLast(keep))
            {
                if (checkpoint.Step != best && !(keepStart && checkpoint.Step == 0))
                {
                    Discard(checkpoint.Path);
                }
            }
        });
    }

    /// <summary>Deletes the checkpoints after a step, the newest first, and the mark of the best where it was one of them.</summary>
    /// <returns>Those that are gone, by step.</returns>
    public IReadOnlyList<Checkpoint> DeleteAfter(long step)
    {
        Checkpoint[] after = [.. List().Where(checkpoint => checkpoint.Step > step)];
        bool bestGoes = after.Length > 0 && Best()?.Checkpoint.Step > step;
        return Guard("cannot delete from", () =>
        {
            PlainFile.RequireNoLink(Path);
            if (bestGoes)
            {
                File.Delete(System.IO.Path.Combine(Path, BestName));
            }

            foreach (Checkpoint checkpoint in after.Reverse())
            {
                Discard(checkpoint.Path);
            }

            return after;
        });
    }

    /// <summary>
    /// Deletes what a writer that was killed left behind, and puts a checkpoint back that had made way for one that never
    /// arrived. <see cref="Write"/> does this first.
    /// </summary>
    public void ClearLeftovers() => Guard("cannot write", () =>
    {
        if (!Directory.Exists(Path))
        {
            return;
        }

        PlainFile.RequireNoLink(Path);
        File.Delete(System.IO.Path.Combine(Path, BestName + PlainFile.New));
        foreach (string folder in Directory.GetFileSystemEntries(Path, ".*"))
        {
            string name = System.IO.Path.GetFileName(folder);
            string replaced = name.StartsWith(ReplacedPrefix, StringComparison.Ordinal) ? name[ReplacedPrefix.Length..] : "";
            string target = System.IO.Path.Combine(Path, replaced);
            if (TryParseName(replaced, out _) && Directory.Exists(folder) && !Directory.Exists(target))
            {
                Directory.Move(folder, target);
            }
            else if (replaced.Length > 0 || name.StartsWith(PartialPrefix, StringComparison.Ordinal) || name.StartsWith(DeletedPrefix, StringComparison.Ordinal))
            {
                Remove(folder);
            }
        }
    });

    private string MoveInPlace(string partial, string name)
    {
        string target = System.IO.Path.Combine(Path, name);
        string replaced = System.IO.Path.Combine(Path, ReplacedPrefix + name);
        bool replaces = Directory.Exists(target);
        if (replaces)
        {
            Directory.Move(target, replaced);
        }

        Directory.Move(partial, target);
        FileSystemSync.FlushFolder(Path);
        if (replaces)
        {
            Remove(replaced);
        }

        return target;
    }

    // Renamed first, so that a checkpoint half deleted is never taken for one.
    private void Discard(string folder)
    {
        string deleted = System.IO.Path.Combine(Path, DeletedPrefix + System.IO.Path.GetFileName(folder));
        Directory.Move(folder, deleted);
        Remove(deleted);
    }

    // Of a link only itself.
    private static void Remove(string path)
    {
        if (Directory.Exists(path) && new FileInfo(path).LinkTarget is null)
        {
            Directory.Delete(path, recursive: true);
        }
        else
        {
            File.Delete(path);
        }
    }

    private static FileSeal WriteFlushed(string folder, CheckpointFile file)
    {
        using FileStream stream = PlainFile.CreateNew(System.IO.Path.Combine(folder, file.Name));
        using var sealing = new SealingStream(stream);
        file.Write(sealing);
        stream.Flush(flushToDisk: true);
        return sealing.Seal(file.Name);
    }

    private void Guard(string action, Action body) => Guard<object?>(action, () =>
    {
        body();
        return null;
    });

    private T Guard<T>(string action, Func<T> body)
    {
        try
        {
            return body();
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe(action, Path, exception);
        }
    }
}
