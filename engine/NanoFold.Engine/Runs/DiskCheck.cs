using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Whether the disk has room for a run's checkpoints; asked before the first step, not found out after hours at the first checkpoint.</summary>
internal static class DiskCheck
{
    // The one being written, and the best, which may be none of the newest.
    private const int BesidesKept = 2;

    /// <summary>Refuses a run whose first checkpoint does not fit, and tells where those that it keeps would not.</summary>
    /// <param name="path">The run's folder.</param>
    /// <param name="checkpointBytes">Of one checkpoint.</param>
    /// <param name="kept"><c>train.keepCheckpoints</c>.</param>
    /// <param name="free">Bytes that may be written there, or null where that cannot be known.</param>
    /// <param name="note">Told where room is short.</param>
    public static void Require(string path, long checkpointBytes, int kept, long? free, Action<string>? note)
    {
        if (free is not { } bytes)
        {
            return;
        }

        if (bytes < checkpointBytes)
        {
            throw new UserException(FormattableString.Invariant(
                $"{path}: a checkpoint takes {Megabytes(checkpointBytes)} and the disk has {Megabytes(bytes)} free; make room or choose another --out"));
        }

        Int128 all = (Int128)checkpointBytes * (kept + (long)BesidesKept);
        if (bytes < all)
        {
            long fits = (bytes / checkpointBytes) - BesidesKept;
            note?.Invoke(FormattableString.Invariant(
                $"{path}: the run's checkpoints take up to {Megabytes(all)} and the disk has {Megabytes(bytes)} free; {(fits > 0 ? $"train.keepCheckpoints={fits} takes less" : "make room")}"));
        }
    }

    /// <summary>Bytes of a checkpoint: parameters, but for those that it leaves out, and moments; what else is in it is small.</summary>
    public static long CheckpointBytes(TrainSession session)
        => (session.Model.Store.Elements - session.Left.Sum(name => session.Model.Store[name].Layout.Count) + session.Trainer.Optimizer.Slots.Sum(slot => slot.Elements)) * sizeof(float);

    /// <summary>Bytes that this user may still write where a folder is, or null where the system does not say.</summary>
    public static long? FreeBytes(string folder)
    {
        try
        {
            return new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private static string Megabytes(Int128 bytes) => FormattableString.Invariant($"{(double)bytes / 1e6:0.0} MB");
}
