using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Profiling;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Profiling;

public class ProfilerTests
{
    private static readonly Roofline s_peak = new(1e11, 1e10);

    [TestCase("adamw", 1)]
    [TestCase("muon", 1)]
    [TestCase("muon", 3)]
    public void ProfiledStepsComeToTheSameBits(string optimizer, int threads)
    {
        RunConfig config = Config(ModelVariants.Base with { Dropout = 0.1 }, optimizer, "train.accumulate=2");
        using var backend = new CpuBackend(threads);
        using var profiler = new Profiler(config, backend);
        for (int i = 0; i < 3; i++)
        {
            profiler.Step();
            profiler.Record();
        }

        using var model = new Transformer(config.Model, backend, (ulong)config.Train.Seed);
        using var trainer = new Trainer(model, config.Train, new RandomTokens(config.Model.Vocab, (ulong)config.Train.Seed));
        for (int i = 0; i < 6; i++)
        {
            trainer.Step(i);
        }

        Assert.That(Parameters(profiler.Model), Is.EqualTo(Parameters(model)));
    }

    [TestCase("adamw", 1)]
    [TestCase("muon", 2)]
    public void AProfiledStepAllocatesNothing(string optimizer, int threads)
    {
        using var backend = new CpuBackend(threads);
        using var profiler = new Profiler(Config(ModelVariants.Base, optimizer), backend);
        profiler.Run(s_peak, steps: 3);

        Assert.That(profiler.Run(s_peak, steps: 5).ManagedBytesPerStep, Is.Zero);
    }

    /// <summary>What the passes of a step execute is what their dry run says; of matrices the forward pass is a third of the convention, recomputation not counted.</summary>
    [TestCase("attention")]
    [TestCase("sliding-window")]
    [TestCase("gated-attention")]
    [TestCase("attention", "model.kvHeads=2", "model.tied=true")]
    [TestCase("attention", "train.accumulate=3")]
    [TestCase("attention", "train.recompute=true")]
    public void ItsFlopsAreTheCostModels(string mixer, params string[] settings)
    {
        RunConfig config = Config(ModelVariants.Base, "adamw", [$"model.mixer={mixer}", .. settings]);
        ProfileReport report = Profile(config);
        int tokens = config.Train.Batch * config.Train.Accumulate * config.Model.Context;
        KernelCost planned;
        using (var backend = new CpuBackend(1))
        {
            planned = MemoryPlan.Of(config, backend).PassesCost;
        }

        ProfileRow[] passes = [.. report.Ops.Where(row => row.Phase is StepPhase.Forward or StepPhase.Backward)];
        Assert.That((passes.Sum(row => row.Flops), passes.Sum(row => row.Bytes)), Is.EqualTo((planned.Flops * config.Train.Accumulate, planned.Bytes * config.Train.Accumulate)));

        double matrices = passes.Where(row => row.Phase == StepPhase.Forward && row.Name is "linear" or "linear-cross-entropy").Sum(row => row.Flops);
        long pairs = config.Model.LayerConfigs().Sum(layer => layer.Mixer.PairFlopsPerToken(config.Model));
        Assert.That(3 * matrices, Is.EqualTo((CostModel.FlopsPerToken(config.Model) - pairs) * tokens));

        // Backward attention makes its scores again (10 for 4); logits as few as these are kept.
        double Flops(string name, StepPhase phase) => report.Ops.Where(row => row.Phase == phase && row.Name == name).Sum(row => row.Flops);
        Assert.That(Flops("linear", StepPhase.Backward), Is.EqualTo(2 * Flops("linear", StepPhase.Forward)));
        Assert.That(Flops("attention", StepPhase.Backward), Is.EqualTo(2.5 * Flops("attention", StepPhase.Forward)));
        Assert.That(Flops("linear-cross-entropy", StepPhase.Backward), Is.EqualTo(2 * Flops("linear-cross-entropy", StepPhase.Forward)));
    }

    [Test]
    public void RowsAddUpToTheStep([Values] OpGrouping grouping)
    {
        foreach ((string name, ModelConfig model) in ModelVariants.All.Where(v => v.Model.WhyNotDecoded is null).Where((_, i) => grouping == OpGrouping.Op || i % 8 == 0))
        {
            ProfileReport report = Profile(Config(model, "muon"), grouping);

            Assert.That(report.Ops.Sum(row => row.Seconds) + report.SecondsOutside, Is.EqualTo(report.StepSeconds).Within(1e-9), name);
            Assert.That(report.SecondsOutside, Is.GreaterThanOrEqualTo(0), name);
            Assert.That(report.Kernels.Sum(row => row.Seconds), Is.LessThanOrEqualTo(report.Ops.Sum(row => row.Seconds)), name);
            Assert.That(report.Ops.Sum(row => row.Share), Is.LessThanOrEqualTo(1), name);
            foreach (StepPhase phase in Enum.GetValues<StepPhase>())
            {
                Assert.That(Sum(report.Ops, phase), Is.EqualTo(Sum(report.Kernels, phase)), $"{name} {phase}");
                Assert.That(Sum(report.Ops, phase).Bytes, Is.GreaterThan(0), $"{name} {phase}");
            }
        }
    }

    [Test]
    public void WhatIsComputedAgainIsBackward()
    {
        ProfileReport report = Profile(Config(ModelVariants.Base, "adamw", "train.recompute=true"));

        Assert.That(report.Ops.Where(row => row.Name.EndsWith(" (again)")).Select(row => row.Phase).Distinct(), Is.EqualTo(new[] { StepPhase.Backward }));
    }

    [Test]
    public void RowsAreNamedAsAskedFor()
    {
        RunConfig config = Config(ModelVariants.Base, "adamw");
        string[] Names(OpGrouping grouping) => [.. Profile(config, grouping).Ops.Where(row => row.Phase == StepPhase.Forward).Select(row => row.Name)];

        Assert.That(Names(OpGrouping.Op), Is.EquivalentTo(new[] { "embedding", "linear", "attention", "rope", "silu-gated", "rms-norm", "linear-cross-entropy" }));
        Assert.That(Names(OpGrouping.Module), Is.EquivalentTo(new[] { "embedding", "blocks.*", "blocks.*.attn", "blocks.*.mlp", "rms-norm", "linear-cross-entropy" }));
        Assert.That(Names(OpGrouping.Node), Has.Some.EndsWith(" blocks.1.attn.linear q_proj").And.Some.EndsWith("linear-cross-entropy lm_head"));
    }

    [Test]
    public void TheRoofIsTheLowerOfTwo()
    {
        Assert.That(s_peak.Ridge, Is.EqualTo(10));
        Assert.That((s_peak.IsComputeBound(11, 1), s_peak.IsComputeBound(9, 1)), Is.EqualTo((true, false)));
        Assert.That(s_peak.ShareOf(Row(seconds: 2, flops: 1e11, bytes: 1)), Is.EqualTo(0.5));
        Assert.That(s_peak.ShareOf(Row(seconds: 2, flops: 0, bytes: 4e10)), Is.EqualTo(2), "from a cache");
        Assert.That(s_peak.ShareOf(Row(seconds: 0, flops: 0, bytes: 0)), Is.Zero);

        static ProfileRow Row(double seconds, double flops, double bytes) => new("a", StepPhase.Forward, 1, seconds, 1, flops, bytes);
    }

    internal static RunConfig Config(ModelConfig model, string optimizer, params string[] settings)
    {
        RunConfig config = settings.Aggregate(new ConfigTree(), (tree, setting) => tree.Set(setting)).Set($"train.optimizer={optimizer}").Build();
        return (config with
        {
            Model = model with
            {
                Mixer = settings.Any(s => s.StartsWith("model.mixer")) ? config.Model.Mixer : model.Mixer,
                KvHeads = settings.Any(s => s.StartsWith("model.kvHeads")) ? config.Model.KvHeads : model.KvHeads,
                Tied = config.Model.Tied || model.Tied,
            },
            Train = config.Train with { Batch = 3 },
        }).Resolve();
    }

    private static ProfileReport Profile(RunConfig config, OpGrouping grouping = OpGrouping.Op)
    {
        using var backend = new CpuBackend(1);
        using var profiler = new Profiler(config, backend);
        return profiler.Run(s_peak, grouping, steps: 1);
    }

    private static KernelCost Sum(IEnumerable<ProfileRow> rows, StepPhase phase)
    {
        var total = ProfileRow.Total("", phase, rows.Where(row => row.Phase == phase));
        return new KernelCost(total.Flops, total.Bytes);
    }

    private static float[] Parameters(Transformer model)
    {
        var values = new List<float>();
        foreach (var parameter in model.Store.Parameters)
        {
            var view = model.Store.Values(parameter);
            var part = new float[view.Count];
            model.Backend.Download(view, part.AsSpan());
            values.AddRange(part);
        }

        return [.. values];
    }
}
