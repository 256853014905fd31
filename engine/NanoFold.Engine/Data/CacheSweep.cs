namespace NanoFold.Engine.Data;

/// <summary>What a process that was killed while it wrote leaves in the token cache, and its removal.</summary>
internal static class CacheSweep
{
    private const string Mark = ".tmp-";

    // What is not guarded by a lock is written in an instant.
    private static readonly TimeSpan s_old = TimeSpan.FromHours(1);

    /// <summary>A name, beside what is going to be written, for writing it.</summary>
    public static string Beside(string path) => $"{path}{Mark}{Guid.NewGuid():N}";

    /// <summary>Deletes what nobody writes any more: beside entries whose lock is free, and old pieces of <c>seen/</c>.</summary>
    /// <param name="folder">The cache.</param>
    /// <param name="held">The entry whose lock this process holds.</param>
    public static void Run(string folder, string held)
    {
        try
        {
            foreach (IGrouping<string, string> pieces in Directory.GetDirectories(folder, $"*{Mark}*").GroupBy(EntryOf))
            {
                using FileStream? taken = pieces.Key == held ? null : CacheLock.TryTake(pieces.Key + CacheLock.Suffix);
                foreach (string piece in pieces.Where(_ => taken is not null || pieces.Key == held))
                {
                    Directory.Delete(piece, recursive: true);
                }
            }

            foreach (string piece in Directory.GetFiles(Path.Combine(folder, "seen"), $"*{Mark}*").Where(file => File.GetLastWriteTimeUtc(file) < DateTime.UtcNow - s_old))
            {
                File.Delete(piece);
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            // What cannot be deleted takes room and does no harm.
        }
    }

    private static string EntryOf(string piece) => piece[..piece.LastIndexOf(Mark, StringComparison.Ordinal)];
}

/// <summary>A file that is held open while an entry is made.</summary>
internal static class CacheLock
{
    /// <summary>What its name has after the entry's.</summary>
    public const string Suffix = ".lock";

    /// <summary>Takes it; throws where it <see cref="IsHeld"/>.</summary>
    public static FileStream Take(string path) => new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);

    /// <summary>Takes it, or gives null where another process has it.</summary>
    public static FileStream? TryTake(string path)
    {
        try
        {
            return Take(path);
        }
        catch (IOException e) when (IsHeld(e))
        {
            return null;
        }
    }

    /// <summary>Whether another process has it. Windows: sharing or lock violation; elsewhere the error number of a lock that is taken, EWOULDBLOCK.</summary>
    public static bool IsHeld(IOException e) =>
        OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult is 11 or 35;
}
