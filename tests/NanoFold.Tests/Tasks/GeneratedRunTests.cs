using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Tasks;

/// <summary>Runs of tasks without text: from a config to checkpoints, resumed, evaluated, measured.</summary>
[NonParallelizable]
public class GeneratedRunTests
{
    private static readonly string[] s_settings =
    [
        "model.layers=2", "model.width=16", "model.heads=2", "model.hidden=24", "model.context=8", "model.dropout=0.1", "train.steps=6", "train.batch=4",
        "train.evaluateEvery=3", "train.checkpointEvery=3", "train.keepCheckpoints=9", "geometry.probeTokens=64", "geometry.neighborTokens=32",
    ];

    private static IEnumerable<TestCaseData> Tasks =>
    [
        new TestCaseData("""{"kind": "modular-addition", "modulus": 5, "validationRows": 4}""", "", "accuracy").SetArgDisplayNames("modular-addition"),
        new TestCaseData("""{"kind": "regression", "dimensions": 2, "validationRows": 6}""", "", "leastSquares").SetArgDisplayNames("regression"),
        new TestCaseData("""{"kind": "compress", "symbols": 4, "validationRows": 6}""", "", "accuracy").SetArgDisplayNames("compress"),
        new TestCaseData("""{"kind": "regression", "dimensions": 2, "validationRows": 6}""", "model.visibility=prefix", "leastSquares").SetArgDisplayNames("regression with prefixes"),
    ];

    [TestCaseSource(nameof(Tasks))]
    public void ARunGoesOnWithTheSameBitsIsEvaluatedAndMeasured(string task, string setting, string score)
    {
        using var rig = new TrainRig();
        RunConfig Config(params string[] more) =>
            s_settings.Append($"task={task}").Append(setting).Where(s => s.Length > 0).Concat(more).Aggregate(new ConfigTree(), (tree, s) => tree.Set(s)).Build();
        rig.Train("straight", Config());
        rig.Train("stopped", Config("train.stopAfter=4"));
        Assert.That(rig.Resume("stopped").End, Is.EqualTo(TrainEnd.Finished));
        rig.AssertSame("stopped", "straight", 6);
        Assert.That(File.Exists(rig.Checkpoint("straight", 6, "tokenizer.json")), Is.False, "without text there is nothing to write with");

        JsonElement last = JsonLinesLog.Read(Path.Combine(rig["straight"], RunFolder.MetricsFile)).Last(line => line.TryGetProperty("validationLoss", out _));
        string key = $"validation{char.ToUpperInvariant(score[0])}{score[1..]}";
        using var backend = new CpuBackend(1);
        using TrainedModel model = TrainedModel.Load(rig.Checkpoint("straight", 6), backend);
        Evaluation evaluation = model.Evaluate();
        Assert.That(evaluation.Scores!.Single().Name, Is.EqualTo(score));
        Assert.That((last.GetProperty("validationLoss").GetDouble(), last.GetProperty(key).GetDouble()), Is.EqualTo((evaluation.Loss, evaluation.Scores!.Single().Value)));

        JsonElement[] geometry = [.. JsonLinesLog.Read(Path.Combine(rig["straight"], RunFolder.GeometryFile))];
        Assert.That(geometry.Select(line => line.GetProperty("step").GetInt64()).Max(), Is.EqualTo(6));
    }

    [TestCase("modular-addition")]
    [TestCase("""{"kind": "regression", "dimensions": 2}""")]
    public void EightRowsAreTwiceFour(string task)
    {
        using var rig = new TrainRig();
        double[] Losses(string folder, int batch, int accumulate)
        {
            string[] settings = [$"task={task}", .. s_settings, "model.dropout=0", "geometry.enabled=false", $"train.batch={batch}", $"train.accumulate={accumulate}", "train.optimizer=adamw"];
            rig.Train(folder, settings.Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Build());
            return [.. JsonLinesLog.Read(Path.Combine(rig[folder], RunFolder.MetricsFile)).Where(line => line.TryGetProperty("loss", out _)).Select(line => line.GetProperty("loss").GetDouble())];
        }

        double[] whole = Losses("whole", 8, 1), parts = Losses("parts", 4, 2);
        Assert.That(whole, Has.Length.EqualTo(6));
        Assert.That(parts, Is.EqualTo(whole).Within(1e-5));
    }
}
