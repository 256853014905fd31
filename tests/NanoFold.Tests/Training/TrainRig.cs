using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training;

/// <summary>A text, a token cache and run folders for one test, and settings of a model whose step takes a millisecond.</summary>
internal sealed class TrainRig : IDisposable
{
    private const string CacheVariable = "NANOFOLD_CACHE";

    private readonly TemporaryFolder _folder = new();
    private readonly string? _cacheBefore = Environment.GetEnvironmentVariable(CacheVariable);

    public TrainRig()
    {
        Environment.SetEnvironmentVariable(CacheVariable, _folder["cache"]);
        TextPath = Write("text.txt", Text);
    }

    /// <summary>1,500 bytes in which every line is a little different.</summary>
    public static string Text { get; } = string.Concat(Enumerable.Range(0, 50).Select(i => $"no. {i:D3}: {(char)('a' + (i * 7 % 26))} cat sat on mat {i * i % 97:D2}.\n"));

    public string TextPath { get; }

    /// <summary>The full path of something in the folder of this test.</summary>
    public string this[string name] => _folder[name];

    public string Write(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    /// <summary>As <c>--set</c> takes them.</summary>
    public string[] Settings(params string[] more) =>
    [
        "tokenizer=byte", $"data.path={TextPath}", "data.validationFraction=0.25",
        "model.layers=2", "model.width=16", "model.heads=2", "model.hidden=24", "model.context=8",
        "train.steps=12", "train.batch=3", "train.evaluateEvery=6", "train.checkpointEvery=5", "geometry.enabled=false",
        .. more,
    ];

    public RunConfig Config(params string[] more) => Settings(more).Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build();

    /// <summary>Trains a new run to its end, or to where its settings stop it.</summary>
    public TrainSummary Train(string folder, params string[] more) => Train(folder, Config(more));

    public TrainSummary Train(string folder, RunConfig config, int threads = 1, ITrainObserver? observer = null, CancellationToken stop = default)
    {
        using var backend = new CpuBackend(threads);
        using var session = TrainSession.Open(config, backend, _folder[folder]);
        return new TrainLoop(session, observer).Run(stop);
    }

    /// <summary>Takes a run up again.</summary>
    public TrainSummary Resume(string folder, int threads = 1) => Resume(folder, null, threads);

    /// <summary>The same with what may change on resuming.</summary>
    public TrainSummary Resume(string folder, RunConfig? config, int threads = 1)
    {
        using var backend = new CpuBackend(threads);
        using var session = TrainSession.Resume(_folder[folder], backend, config);
        return new TrainLoop(session).Run();
    }

    /// <summary>The bytes of a file of a checkpoint.</summary>
    public byte[] Bytes(string folder, long step, string file) => File.ReadAllBytes(Checkpoint(folder, step, file));

    public string Checkpoint(string folder, long step, string file = "") => Path.TrimEndingDirectorySeparator(Path.Combine(_folder[folder], "checkpoints", CheckpointFolder.NameOf(step), file));

    /// <summary>Turns the state of a checkpoint into one of the first version, which has no hashes.</summary>
    public void MakeOlder(string folder, long step)
    {
        string path = Checkpoint(folder, step, TrainState.FileName);
        JsonObject state = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.That(state.Remove("files") && state.Remove("sha256"), Is.True);
        state["version"] = 1;
        File.WriteAllText(path, state.ToJsonString());
    }

    /// <summary>Steps of the complete checkpoints.</summary>
    public long[] Checkpoints(string folder) => [.. new CheckpointFolder(Path.Combine(_folder[folder], "checkpoints")).List().Select(c => c.Step)];

    /// <summary>Everything in metrics.jsonl but times and the speed.</summary>
    public string[] Metrics(string folder) =>
    [
        .. JsonLinesLog.Read(Path.Combine(_folder[folder], RunFolder.MetricsFile)).Select(line =>
            string.Join(' ', line.EnumerateObject().Where(p => p.Name is not ("tokensPerSecond" or "elapsedSeconds")).Select(p => $"{p.Name}={p.Value.GetRawText()}"))),
    ];

    /// <summary>Asserts that two runs came to the same bits at a step.</summary>
    public void AssertSame(string folder, string expected, long step, bool metrics = true)
    {
        foreach (string file in new[] { ModelFile.Name, OptimizerFile.Name })
        {
            Assert.That(Bytes(folder, step, file), Is.EqualTo(Bytes(expected, step, file)), $"{file} of {folder} and {expected}");
        }

        if (metrics)
        {
            Assert.That(Metrics(folder), Is.EqualTo(Metrics(expected)), $"{folder} and {expected}");
        }
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(CacheVariable, _cacheBefore);
        _folder.Dispose();
    }
}
