using System.Globalization;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Training;

/// <summary>
/// A run on disk: <c>config.json</c>, <c>metrics.jsonl</c>, <c>geometry.jsonl</c> and <c>checkpoints/step-000500/…</c>; locked while it is written.
/// </summary>
public sealed class RunFolder : IDisposable
{
    public const string MetricsFile = "metrics.jsonl";
    public const string GeometryFile = "geometry.jsonl";
    private const string CheckpointsFolder = "checkpoints";

    private readonly RunLock _lock;

    private RunFolder(string path)
    {
        Path = path;
        _lock = RunLock.Acquire(path);
        Checkpoints = new CheckpointFolder(System.IO.Path.Combine(path, CheckpointsFolder));
        Checkpoints.ClearLeftovers();
        Metrics = JsonLinesLog.Open(System.IO.Path.Combine(path, MetricsFile));
        Geometry = JsonLinesLog.Open(System.IO.Path.Combine(path, GeometryFile));
    }

    public string Path { get; }

    public CheckpointFolder Checkpoints { get; }

    public JsonLinesLog Metrics { get; }

    public JsonLinesLog Geometry { get; }

    /// <summary>A folder for a new run; one that holds a run already is refused.</summary>
    public static RunFolder Create(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, RunConfig.FileName)))
        {
            throw new UserException($"{path}: holds a run already; choose another --out, or continue it with --resume {path}");
        }

        return Guard(path, () =>
        {
            Directory.CreateDirectory(path);
            return new RunFolder(path);
        });
    }

    /// <summary>The folder of a run that is to go on.</summary>
    public static RunFolder Open(string path) => File.Exists(System.IO.Path.Combine(path, RunConfig.FileName))
        ? Guard(path, () => new RunFolder(path))
        : throw new UserException($"{path}: is not a run folder (it has no {RunConfig.FileName}); --resume takes the folder that train wrote");

    /// <summary>A name for a run that was given none: <c>runs/nano-20260131-093000</c>, made unique.</summary>
    public static string DefaultPath(string preset, DateTime now)
    {
        string path = System.IO.Path.Combine("runs", $"{preset}-{now.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}");
        string unique = path;
        for (int i = 2; Directory.Exists(unique); i++)
        {
            unique = $"{path}-{i}";
        }

        return unique;
    }

    /// <summary>
    /// The checkpoint that a path names: itself, or the best of a run folder, or its newest.
    /// </summary>
    public static string FindCheckpoint(string path)
    {
        string modelFile = ModelFile.Name;
        if (File.Exists(System.IO.Path.Combine(path, modelFile)))
        {
            return path;
        }

        if (!Directory.Exists(path))
        {
            throw new UserException($"{path}: there is no such run or checkpoint folder");
        }

        var checkpoints = new CheckpointFolder(System.IO.Path.Combine(path, CheckpointsFolder));
        Checkpoint? found = checkpoints.Best()?.Checkpoint ?? checkpoints.Newest();
        return found?.Path ?? throw new UserException($"{path}: holds no checkpoint; name a run folder of train, or one of its checkpoints");
    }

    public void WriteConfig(RunConfig config) => Guard(Path, () =>
    {
        string target = System.IO.Path.Combine(Path, RunConfig.FileName), beside = target + ".new";
        File.WriteAllText(beside, config.ToJson());
        File.Move(beside, target, overwrite: true);
        return 0;
    });

    public void Dispose()
    {
        Metrics.Dispose();
        Geometry.Dispose();
        _lock.Dispose();
    }

    private static T Guard<T>(string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", path, e);
        }
    }
}
