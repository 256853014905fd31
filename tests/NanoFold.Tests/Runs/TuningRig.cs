using System.Text.Json.Nodes;
using NanoFold.Kernels.Cpu;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>A trained run, <c>base</c>, and runs that go on from it or from each other by the command line.</summary>
internal sealed class TuningRig : IDisposable
{
    public TuningRig(params string[] settings) => Train.Train("base", ["train.stopAfter=5", "model.initialization=scaled", .. settings]);

    /// <summary>The folder of the test.</summary>
    public TrainRig Train { get; } = new();

    public string this[string name] => Train[name];

    /// <summary>Nine steps, evaluated after each three, with checkpoints after each four.</summary>
    /// <param name="start">The run or model that it begins with.</param>
    /// <param name="data">The path of what it learns.</param>
    /// <param name="folder">Of the run.</param>
    /// <param name="more">Settings.</param>
    public CommandLine TryTrain(string start, string data, string folder, params string[] more) => CommandLine.Run(
    [
        "train", "--init", Train[start], "--data", data, "--out", Train[folder], "--device", "cpu",
        .. new[] { "data.validationFraction=0.25", "train.steps=9", "train.batch=3", "train.evaluateEvery=3", "train.checkpointEvery=4", "geometry.enabled=false" }
            .Concat(more).SelectMany(setting => new[] { "--set", setting }),
    ]);

    /// <summary>The same of a run that is expected to end well.</summary>
    public void TrainFrom(string start, string data, string folder, params string[] more)
    {
        CommandLine run = TryTrain(start, data, folder, more);
        Assert.That(run.Code, Is.Zero, run.Error);
    }

    public void Resume(string folder)
    {
        CommandLine run = CommandLine.Run("train", "--resume", Train[folder], "--device", "cpu");
        Assert.That(run.Code, Is.Zero, run.Error);
    }

    /// <summary>Asserts that a run that was stopped and taken up again has the bits of one that was not.</summary>
    public void AssertResumesToTheSameBits(string start, string data, params string[] settings)
    {
        TrainFrom(start, data, "straight", settings);
        TrainFrom(start, data, "stopped", [.. settings, "train.stopAfter=4"]);
        Resume("stopped");
        Train.AssertSame("stopped", "straight", 9);
    }

    /// <summary>Lines of metrics.jsonl.</summary>
    public JsonObject[] Lines(string folder) => [.. File.ReadLines(Path.Combine(Train[folder], "metrics.jsonl")).Select(line => JsonNode.Parse(line)!.AsObject())];

    /// <summary>What the lines that have a figure say of it.</summary>
    public static double[] Figures(JsonObject[] lines, string key) => [.. lines.Where(line => line.ContainsKey(key)).Select(line => (double)line[key]!)];

    /// <summary>The tensors in the file of a checkpoint.</summary>
    public Dictionary<string, float[]> Tensors(string folder, long step)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(Train.Checkpoint(folder, step, ModelFile.Name));
        return file.Tensors.ToDictionary(tensor => tensor.Name, tensor =>
        {
            var values = new float[tensor.Count];
            file.Read(tensor.Name, values.AsSpan());
            return values;
        });
    }

    /// <summary>All values that a loaded model has.</summary>
    public Dictionary<string, float[]> Values(string folder)
    {
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(Train[folder], backend);
        return trained.Model.Store.Parameters.ToDictionary(parameter => parameter.Name, parameter =>
        {
            var values = new float[parameter.Layout.Count];
            backend.Download<float>(trained.Model.Store.Values(parameter), values);
            return values;
        });
    }

    /// <summary>The loss on all of the text.</summary>
    public double Loss(string path)
    {
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        using var corpus = Corpus.Open(Train.TextPath);
        return trained.Evaluate(corpus).Loss;
    }

    public void Dispose() => Train.Dispose();
}
