using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Taps;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training;

/// <summary>What must not change a bit of what is learned.</summary>
[NonParallelizable]
public class SameBitsTests
{
    private TrainRig _rig = null!;

    [SetUp]
    public void SetUp() => _rig = new TrainRig();

    [TearDown]
    public void TearDown() => _rig.Dispose();

    [TestCase("adamw")]
    [TestCase("muon")]
    public void AResumedRunIsOneThatNeverStopped(string optimizer)
    {
        string[] settings = [$"train.optimizer={optimizer}", "train.accumulate=2", "model.dropout=0.1", "train.recompute=true", "train.keepCheckpoints=9"];
        _rig.Train("straight", settings);

        TrainSummary first = _rig.Train("stopped", [.. settings, "train.stopAfter=7"]);
        Assert.That((first.End, first.Steps), Is.EqualTo((TrainEnd.StoppedAfter, 7L)));
        Assert.That(_rig.Checkpoints("stopped"), Is.EqualTo(new long[] { 5, 7 }));
        TrainSummary second = _rig.Resume("stopped");
        Assert.That((second.End, second.Steps), Is.EqualTo((TrainEnd.Finished, 12L)));

        _rig.AssertSame("stopped", "straight", 12);
        Assert.That(_rig.Metrics("stopped"), Has.Length.EqualTo(12 + 2));
        TrainState state = TrainState.Load(_rig.Checkpoint("stopped", 12)), expected = TrainState.Load(_rig.Checkpoint("straight", 12));
        Assert.That(state with { Seconds = 0, ElapsedSeconds = 0 }, Is.EqualTo(expected with { Seconds = 0, ElapsedSeconds = 0 }));
    }

    [Test]
    public void TheLogsAreCutBackToTheCheckpoint()
    {
        _rig.Train("straight");
        _rig.Train("killed", "train.stopAfter=8");
        // As if killed at step 8: what is newest is the checkpoint of step 5.
        Directory.Delete(_rig.Checkpoint("killed", 8), recursive: true);
        Assert.That(_rig.Metrics("killed"), Has.Length.EqualTo(8 + 1));

        _rig.Resume("killed");
        _rig.AssertSame("killed", "straight", 12);
    }

    [Test]
    public void AnyNumberOfThreads()
    {
        foreach (string optimizer in new[] { "adamw", "muon" })
        {
            RunConfig config = _rig.Config($"train.optimizer={optimizer}", "model.dropout=0.1", "model.width=32", "model.hidden=88", "train.batch=7", "train.steps=5");
            for (int threads = 1; threads <= 3; threads++)
            {
                _rig.Train($"{optimizer}{threads}", config, threads);
                _rig.AssertSame($"{optimizer}{threads}", $"{optimizer}1", 5);
            }
        }
    }

    [Test]
    public void RecomputedOrNot()
    {
        _rig.Train("kept", "model.dropout=0.1");
        _rig.Train("recomputed", "model.dropout=0.1", "train.recompute=true");

        _rig.AssertSame("recomputed", "kept", 12);
    }

    [Test]
    public void MeasuredAndSampledOrNot()
    {
        _rig.Train("plain", "model.dropout=0.1");
        _rig.Train("measured", "model.dropout=0.1", "geometry.enabled=true", "geometry.every=1", "geometry.probeTokens=64");
        _rig.Train("sampled", "model.dropout=0.1", "train.sampleEvery=1", "generation.maxTokens=3");
        _rig.Train("full", "model.dropout=0.1", "geometry.enabled=true", "geometry.every=6", "geometry.probeTokens=64", "geometry.measures=full");

        _rig.AssertSame("measured", "plain", 12);
        _rig.AssertSame("full", "plain", 12);
        string[] kinds = [.. MeasurePresets.Find("full")!.Select(m => m.Kind).Except(["gates", "experts", "streams"])];
        Assert.That(JsonLinesLog.Read(Path.Combine(_rig["full"], RunFolder.GeometryFile)).Select(line => line.GetProperty("measure").GetString()).Distinct(), Is.SupersetOf(new[] { "norms", "twonn", "cka", "weight-spectra" }).And.SubsetOf(kinds));
        _rig.AssertSame("sampled", "plain", 12);
        // A line for each step, layer and measure; gates, experts and streams are not there.
        int measures = Measure.Defaults.Count(m => m is not GateMeasure and not ExpertMeasure and not StreamMeasure);
        Assert.That(File.ReadAllLines(Path.Combine(_rig["measured"], RunFolder.GeometryFile)), Has.Length.EqualTo(12 * 2 * measures));
    }

    [Test]
    public void ALogOfTheFirstVersionGoesOn()
    {
        string[] settings = ["geometry.enabled=true", "geometry.every=4", "geometry.probeTokens=64"];
        _rig.Train("straight", settings);
        _rig.Train("older", [.. settings, "train.stopAfter=7"]);
        string log = Path.Combine(_rig["older"], RunFolder.GeometryFile), first = """{"step":4,"layer":0,"point":"blocks.0.hook_resid_post","tokens":64,"norm":1.5}""";
        File.WriteAllLines(log, [first, first.Replace("4,", "8,", StringComparison.Ordinal)]);
        _rig.Resume("older");
        string[] expected = File.ReadAllLines(Path.Combine(_rig["straight"], RunFolder.GeometryFile));
        Assert.That(File.ReadAllLines(log), Is.EqualTo(expected.Where(line => !line.Contains("\"step\":4", StringComparison.Ordinal)).Prepend(first)));
    }

    [TestCase("blocks.*")]
    [TestCase("*")]
    public void TappedOrNot(string pattern)
    {
        foreach (string optimizer in new[] { "adamw", "muon" })
        {
            RunConfig config = _rig.Config($"train.optimizer={optimizer}", "model.dropout=0.1", "train.accumulate=2");
            _rig.Train($"plain {optimizer}", config);
            var reader = new Counter(pattern);
            using (var backend = new CpuBackend(1))
            using (var session = TrainSession.Open(config, backend, _rig[$"tapped {optimizer}"]))
            {
                session.Trainer.Taps = new TapSet([reader]);
                new TrainLoop(session).Run();
                foreach (TapPoint point in session.Model.TapPoints.Where(p => TapName.Matches(pattern, p.Name)))
                {
                    Assert.That(reader.Reads.GetValueOrDefault(point.Name), Is.EqualTo(12 * 2), point.Name);
                }
            }

            _rig.AssertSame($"tapped {optimizer}", $"plain {optimizer}", 12);
        }
    }

    private sealed class Counter(string pattern) : ITapReader
    {
        public string Pattern => pattern;

        public Dictionary<string, int> Reads { get; } = [];

        public void Read(TapValue value) => Reads[value.Name] = Reads.GetValueOrDefault(value.Name) + 1;
    }
}
