using System.Globalization;
using System.Text;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Engine.Text.Chat;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>
/// A run on disk: <c>config.json</c>, <c>metrics.jsonl</c>, <c>geometry.jsonl</c> and <c>checkpoints/step-000500/…</c>; locked while it is written.
/// </summary>
public sealed class RunFolder : IDisposable
{
    public const string MetricsFile = "metrics.jsonl";
    public const string GeometryFile = "geometry.jsonl";
    public const string SamplesFile = "samples.jsonl";
    internal const string CheckpointsFolder = "checkpoints";

    // What is written in place; the others are written beside and renamed.
    private static readonly string[] s_written = [RunLock.FileName, MetricsFile, GeometryFile, SamplesFile, EventFile.Name, CheckpointsFolder];

    private RunLock _lock;
    private readonly MadeFiles _made;
    private JsonLinesLog? _samples;
    private EventFile? _events;

    private RunFolder(string path, MadeFiles made)
    {
        Path = path;
        FullPath = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        _made = made;
        Checkpoints = new CheckpointFolder(System.IO.Path.Combine(path, CheckpointsFolder));
        JsonLinesLog? metrics = null;
        try
        {
            Directory.CreateDirectory(path);
            foreach (string name in s_written)
            {
                PlainFile.RequireNoLink(System.IO.Path.Combine(path, name));
            }

            _lock = RunLock.Acquire(path);
            ClearLeftovers();
            Metrics = metrics = JsonLinesLog.Open(System.IO.Path.Combine(path, MetricsFile));
            Geometry = JsonLinesLog.Open(System.IO.Path.Combine(path, GeometryFile));
        }
        catch
        {
            metrics?.Dispose();
            _made.TakeBack(_lock);
            throw;
        }
    }

    public string Path { get; }

    /// <summary>From the root; found when it was opened, for the folder one stands in may go away too.</summary>
    public string FullPath { get; }

    public CheckpointFolder Checkpoints { get; }

    public JsonLinesLog Metrics { get; }

    public JsonLinesLog Geometry { get; }

    /// <summary>Made when the first sample is written.</summary>
    public JsonLinesLog Samples
    {
        get
        {
            if (_samples is null)
            {
                _samples = JsonLinesLog.Open(SamplesPath);
                Mirror(_samples);
            }

            return _samples;
        }
    }

    private string SamplesPath => System.IO.Path.Combine(Path, SamplesFile);

    /// <summary>A folder for a new run; one that holds a run already is refused.</summary>
    public static RunFolder Create(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, RunConfig.FileName)))
        {
            throw new UserException($"{path}: holds a run already; choose another --out, or continue it with --resume {path}");
        }

        for (string? above = System.IO.Path.GetFullPath(path); above is not null; above = System.IO.Path.GetDirectoryName(above))
        {
            if (File.Exists(above))
            {
                throw new UserException($"{path}: cannot be a run folder, for {above} is a file; choose another --out");
            }
        }

        return Guard(path, () => new RunFolder(path, MadeFiles.Of(path)));
    }

    /// <summary>The folder of a run that is to go on.</summary>
    public static RunFolder Open(string path)
    {
        SavedRun.Require(path);
        return Guard(path, () => new RunFolder(path, MadeFiles.None));
    }

    /// <summary>Writes what goes to the logs to an event file of TensorBoard, too.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    internal void MirrorEvents()
    {
        _events = EventFile.Open(System.IO.Path.Combine(Path, EventFile.Name));
        Mirror(Metrics);
        Mirror(Geometry);
    }

    /// <summary>Notes in the event file, where there is one, that the run goes on after a step.</summary>
    internal void GoOnAfter(long step) => _events?.GoOnAfter(step);

    /// <summary>Drops the samples of later steps.</summary>
    public void CutSamples(long step)
    {
        if (File.Exists(SamplesPath))
        {
            Samples.CutBackTo(step);
        }
    }

    public void WriteConfig(RunConfig config) => Write(RunConfig.FileName, Encoding.UTF8.GetBytes(config.ToJson()));

    /// <summary>Writes the chat template of the run's model.</summary>
    internal void WriteTemplate(string source) => Write(ChatTemplate.FileName, Encoding.UTF8.GetBytes(source));

    /// <summary>The chat template that was written; null where none was.</summary>
    internal string? ReadTemplate() => System.IO.Path.Combine(Path, ChatTemplate.FileName) is var file && File.Exists(file) ? File.ReadAllText(file) : null;

    /// <summary>Writes what a detailed evaluation found.</summary>
    internal void WriteEvaluation(DetailedEvaluation evaluation) => Write(DetailedEvaluation.FileName, RecordFile.ToBytes(evaluation));

    /// <summary>Whether the folder is still the one that was opened.</summary>
    internal bool IsInPlace() => _lock.IsInPlace;

    /// <summary>Where the folder is now, if it was moved and the system can say; null where it is in place or deleted.</summary>
    internal string? MovedTo() => _lock.IsInPlace ? null : _lock.Find();

    /// <summary>
    /// Throws where the folder was moved or deleted. Single files that were deleted in it are put back: a run that ends well can be taken up again.
    /// </summary>
    /// <exception cref="UserException">The folder is gone, or cannot be written.</exception>
    internal void Mend(RunConfig config)
    {
        if (!_lock.IsInPlace && !File.Exists(System.IO.Path.Combine(Path, RunLock.FileName)) && File.Exists(System.IO.Path.Combine(Path, RunConfig.FileName)))
        {
            _lock.Dispose();
            _lock = RunLock.Acquire(Path);
        }

        if (!_lock.IsInPlace)
        {
            throw new UserException($"{Path}: was deleted or moved while it was written");
        }

        if (!File.Exists(System.IO.Path.Combine(Path, RunConfig.FileName)))
        {
            WriteConfig(config);
        }

        Metrics.PutBack();
        Geometry.PutBack();
        _samples?.PutBack();
    }

    /// <summary>Appends the lines of the logs to those of another run.</summary>
    internal void CopyLogsTo(RunFolder other)
    {
        Metrics.CopyTo(other.Metrics);
        Geometry.CopyTo(other.Geometry);
        _samples?.CopyTo(other.Samples);
        if (_events is not null)
        {
            other.MirrorEvents();
            _events.CopyTo(other._events!);
        }
    }

    /// <summary>For a run that could not begin: closes the folder and takes back what making it has added to the disk.</summary>
    public void Discard()
    {
        Metrics.Dispose();
        Geometry.Dispose();
        _samples?.Dispose();
        _events?.Dispose();
        _made.TakeBack(_lock);
    }

    public void Dispose()
    {
        Metrics.Dispose();
        Geometry.Dispose();
        _samples?.Dispose();
        _events?.Dispose();
        _lock.Dispose();
    }

    private void Mirror(JsonLinesLog log)
    {
        if (_events is { } events)
        {
            log.Mirror = events.Append;
        }
    }

    // What a writer that was killed left behind.
    private void ClearLeftovers()
    {
        Checkpoints.ClearLeftovers();
        foreach (string name in new[] { RunConfig.FileName, RunResult.FileName, DetailedEvaluation.FileName, MetricsFile, GeometryFile, SamplesFile })
        {
            File.Delete(System.IO.Path.Combine(Path, name + PlainFile.New));
        }
    }

    private void Write(string name, byte[] bytes) => Guard(Path, () =>
    {
        string target = System.IO.Path.Combine(Path, name);
        OutputFile.Replace(target, target + PlainFile.New, file => file.Write(bytes));
        return 0;
    });

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
