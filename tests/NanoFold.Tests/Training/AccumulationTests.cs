using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training;

/// <summary>A batch in parts is the same batch; a run that began when it was not goes on as it began.</summary>
[NonParallelizable]
public class AccumulationTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [TestCase(4, 2)]
    [TestCase(1, 8)]
    public void ABatchInPartsGivesTheLossAndGradientsOfTheWhole(int batch, int accumulate)
    {
        (double loss, double[] gradients) = Step(8, 1);
        (double inParts, double[] partGradients) = Step(batch, accumulate);

        Assert.That(inParts, Is.EqualTo(loss).Within(1e-6));
        Assert.That(partGradients.Zip(gradients).Max(pair => Math.Abs(pair.First - pair.Second)), Is.LessThan(1e-6));
        Assert.That(gradients.Max(Math.Abs), Is.GreaterThan(1e-2));
    }

    [Test]
    public void TheCurvesAreTheSame()
    {
        var whole = new Recorder();
        var parts = new Recorder();
        _rig.Train("whole", _rig.Config("train.batch=8", "train.optimizer=adamw"), observer: whole);
        _rig.Train("parts", _rig.Config("train.batch=4", "train.accumulate=2", "train.optimizer=adamw"), observer: parts);

        Assert.That(parts.Losses, Is.EqualTo(whole.Losses).Within(1e-4));
        Assert.That(whole.Losses[^1], Is.LessThan(whole.Losses[0] - 0.05));
    }

    /// <summary>A configuration of version 2 has no words for the order of rows and the choice of documents; they are those of its time.</summary>
    [Test]
    public void ARunOfBeforeGoesOnWithTheBatchesAndTheSplitItBeganWith()
    {
        for (int i = 0; i < 12; i++)
        {
            _rig.Write($"many-{i:D2}.txt", string.Concat(TrainRig.Text.Skip(i * 100).Take(100)));
        }

        string[] settings = ["train.accumulate=2", "data.draws=micro-batch", "data.split=end", $"data.path={_rig["many-*.txt"]}"];
        _rig.Train("straight", settings);
        _rig.Train("old", [.. settings, "train.stopAfter=7"]);
        foreach (string file in new[] { Path.Combine(_rig["old"], RunConfig.FileName), _rig.Checkpoint("old", 5, RunConfig.FileName), _rig.Checkpoint("old", 7, RunConfig.FileName) })
        {
            JsonObject config = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
            config["version"] = 2;
            Assert.That(config["data"]!.AsObject().Remove("draws") && config["data"]!.AsObject().Remove("split"), Is.True);
            File.WriteAllText(file, config.ToJsonString());
        }

        _rig.MakeOlder("old", 5);
        _rig.MakeOlder("old", 7);
        _rig.Resume("old");
        _rig.AssertSame("old", "straight", 12);
        _rig.Train("today", settings[0], settings[3]);
        Assert.That(_rig.Metrics("today"), Is.Not.EqualTo(_rig.Metrics("straight")));
    }

    private (double Loss, double[] Gradients) Step(int batch, int accumulate)
    {
        using var backend = new CpuBackend(1);
        using var session = TrainSession.Open(_rig.Config($"train.batch={batch}", $"train.accumulate={accumulate}"), backend);
        double loss = session.Trainer.Step(0).Loss;
        return (loss, Host.Read(backend, session.Model.Store.AllGradients));
    }
}
