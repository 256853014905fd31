using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Benchmarks;

public class StepSweepTests
{
    private static RunConfig Tiny => new RunConfig
    {
        Model = new ModelConfig { Layers = 2, Width = 16, Heads = 2, Context = 8, Vocab = 50, Hidden = 24 },
        Train = new TrainConfig { Batch = 2, Accumulate = 2 },
    }.Resolve();

    private static IEnumerable<TestCaseData> Configurations()
    {
        yield return Case("nano", Presets.Of("nano"));
        yield return Case("gpt2", Presets.Of("gpt2"));
        yield return Case("grouped", Presets.Of("nano") with { Model = new ModelConfig { Heads = 4, KvHeads = 2 } });
        yield return Case("moe", Presets.Of("nano") with { Model = new ModelConfig { FeedForward = MoeConfig.Tiny } });
        yield return Case("pattern", Presets.Of("nano") with { Model = new ModelConfig { Pattern = [new BlockConfig(), new BlockConfig { Mixer = new TopKConfig() }] } });

        static TestCaseData Case(string name, RunConfig config) => new TestCaseData(config.Resolve().WithVocab(256)).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Configurations))]
    public void EveryValueOfEveryAxisGivesAnotherConsistentModel(RunConfig config)
    {
        foreach (SweepAxis axis in SweepAxis.All)
        {
            RunConfig[] varied = [.. axis.Values.Select(value => axis.With(config, value))];
            Assert.That(varied.SelectMany(c => c.Model.Validate("model")), Is.Empty, axis.Name);
            if (axis.Kinds is { } kinds)
            {
                Assert.That(kinds, Is.Unique);
                Assert.That(varied, Is.Unique, axis.Name);
                continue;
            }

            long[] sizes = [.. varied.Select(c => CostModel.Of(c.Model).Parameters * c.Train.Batch * c.Model.Context)];
            Assert.That(sizes, Is.Ordered.And.Unique, axis.Name);
        }
    }

    [Test]
    public void AWiderModelKeepsItsProportions()
    {
        ModelConfig wide = SweepAxis.All.Single(a => a.Name == "width").With(Presets.Of("nano").Resolve(), 256).Model;
        Assert.That((wide.Heads, wide.KvHeads, wide.HeadDim, wide.Hidden, wide.FeedForward.Hidden), Is.EqualTo((4, 4, 64, 688, 688)));
    }

    [Test]
    public void CellsAreMeasuredAndThoseThatCannotBeAreLeftOut()
    {
        using var backend = new CpuBackend(1);
        var notes = new List<string>();
        var axis = new SweepAxis("window", [4, 9], (c, window) => c with { Model = c.Model with { Mixer = new SlidingWindowConfig { Window = window } } });
        RunConfig config = Tiny;
        SweepCell cell = StepSweep.Run(config, axis, backend, notes.Add).Single();

        RunConfig measured = axis.With(config, 4);
        Assert.That(notes, Is.EqualTo(new[] { "window 9 is left out: model.mixer.window: 9 is more than model.context = 8" }));
        Assert.That((cell.Axis, cell.Value, cell.Parameters), Is.EqualTo(("window", 4, CostModel.Of(measured.Model).Parameters)));
        Assert.That(cell.PlanBytes, Is.EqualTo(MemoryPlan.Of(measured, backend).PeakBytes));
        Assert.That(new[] { cell.TokensPerSecond, cell.FlopsPerSecond, cell.PeakShare, cell.UpdateSeconds }, Is.All.Positive);
        Assert.That(cell.FlopsPerSecond / CostModel.FlopsPerToken(measured.Model), Is.GreaterThan(cell.TokensPerSecond), "the update takes time too");
    }

    [Test]
    public void ACliffIsFarBelowTheBetterNeighbor()
    {
        SweepCell[] cells = [.. new[] { 0.30, 0.50, 0.60, 0.41, 0.40, 0.10 }.Select(share => new SweepCell("batch", 1, 1, 1, share * 1e9, 1e9, 0, 1))];
        Assert.That(cells.Select((_, i) => StepSweep.IsCliff(cells, i)), Is.EqualTo(new[] { true, false, false, true, false, true }));
    }
}
