using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Null;
using NanoFold.Tests.Generation;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training;

public class TrainerTests
{
    private static readonly ModelConfig s_model = new()
    {
        Layers = 2, Width = 16, Heads = 2, Context = 8, Vocab = 50, Hidden = 24,
    };

    [Test]
    public void TheLossIsDividedByTheTargetsOfAllMicroBatches()
    {
        // 21 targets and 3: the mean of the two means would give the three as much weight as the others.
        int[] counts = [21, 3];
        using var backend = new CpuBackend(1);
        (double loss, double[] gradients) = Step(backend, counts);
        (double first, double[] firstGradients) = Step(backend, counts[..1]);
        (double second, double[] secondGradients) = Step(backend, counts[1..], microBatch: 1);

        Assert.That(loss, Is.EqualTo((21 * first + 3 * second) / 24).Within(1e-6));
        Assert.That(Math.Abs(loss - (first + second) / 2), Is.GreaterThan(1e-3), "the two means are the same");
        double[] expected = [.. firstGradients.Zip(secondGradients, (a, b) => (21 * a + 3 * b) / 24)];
        Assert.That(gradients.Zip(expected).Max(pair => Math.Abs(pair.First - pair.Second)), Is.LessThan(1e-6));
        Assert.That(expected.Max(Math.Abs), Is.GreaterThan(1e-2));
    }

    [Test]
    public void OneBatchIsItsMicroBatches()
    {
        using var backend = new CpuBackend(1);
        (double whole, double[] wholeGradients) = Step(backend, [12], rows: 4);
        (double parts, double[] partGradients) = Step(backend, [6, 6], rows: 2);

        Assert.That(parts, Is.EqualTo(whole).Within(1e-6));
        Assert.That(partGradients.Zip(wholeGradients).Max(pair => Math.Abs(pair.First - pair.Second)), Is.LessThan(1e-6));
    }

    [TestCase(new[] { 12 })]
    [TestCase(new[] { 21, 3, 5 })]
    public void GradientsThatBeginWithAMicroBatchAreThoseAddedToZeros(int[] counts)
    {
        using var backend = new CpuBackend(1);
        (double loss, double[] gradients) = Step(backend, counts);
        (double begunLoss, double[] begun) = Step(new CountingBackend(backend) { Overwrites = true }, counts);
        Assert.That(begunLoss, Is.EqualTo(loss));
        Assert.That(begun, Is.EqualTo(gradients));
    }

    [TestCase("adamw")]
    [TestCase("muon")]
    public void AStepAllocatesNothing(string optimizer)
    {
        using var backend = new CpuBackend(1);
        using var model = TinyModels.Random(backend, s_model with { Dropout = 0.1 });
        using var trainer = new Trainer(model, Config(2) with { Optimizer = Optimizers.Of(optimizer) }, new RandomTokens(50, 1));
        for (int i = 0; i < 5; i++)
        {
            trainer.Step(i);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 5; i < 25; i++)
        {
            trainer.Step(i);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void ItsMemoryIsKnownBeforeItIsTaken()
    {
        var config = new RunConfig { Model = s_model, Train = new TrainConfig { Batch = 3, Accumulate = 2 } }.Resolve();
        using var backend = new CpuBackend(1);
        using var model = TinyModels.Random(backend, s_model);
        using var trainer = new Trainer(model, config.Train, new RandomTokens(50, 1));

        MemoryPlan plan = MemoryPlan.Of(config, backend);
        Assert.That((plan.ArenaBytes, plan.OptimizerBytes), Is.EqualTo((trainer.ArenaBytes, trainer.Optimizer.Bytes)));
        Assert.That(plan.PeakBytes, Is.EqualTo(trainer.PeakBytes).And.GreaterThan(trainer.ArenaBytes + 16 * model.Store.Count));
    }

    [TestCase("adamw", PositionKind.Learned)]
    [TestCase("muon", PositionKind.Rope)]
    public void WhatIsPlannedIsWhatIsAllocated(string optimizer, PositionKind position)
    {
        RunConfig config = new RunConfig
        {
            Model = s_model with { Position = position },
            Train = new TrainConfig { Batch = 3, Accumulate = 2, Optimizer = Optimizers.Of(optimizer) },
        }.Resolve();
        using var inner = new CpuBackend(1);
        using var backend = new CountingBackend(inner);
        using var model = new Transformer(config.Model, backend);
        using var trainer = new Trainer(model, config.Train, new RandomTokens(50, 1));
        for (int step = 0; step < 3; step++)
        {
            trainer.Step(step);
        }

        MemoryPlan plan = MemoryPlan.Of(config, inner);
        Assert.That(plan.PeakBytes, Is.EqualTo(backend.AllocatedBytes));
        Assert.That(plan.ParameterBytes + plan.GradientBytes + plan.OptimizerBytes + plan.ArenaBytes + plan.InputBytes, Is.EqualTo(plan.PeakBytes));
        Assert.That(Math.Max(plan.Passes.Forward.Bytes, plan.Passes.Backward!.Bytes), Is.InRange(0.8 * plan.ArenaBytes, plan.ArenaBytes));
    }

    [Test]
    public void MatricesThatMuonUpdatesHaveNoSecondMoment()
    {
        using var backend = new NullBackend();
        using var model = new Transformer(s_model, backend);
        (long start, long end) = model.Store.Range(ParameterRole.Matrix);
        using StepState state = backend.NewState();
        using var muon = new Optimizer(model.Store, (Config(1) with { Optimizer = new MuonConfig() }).Resolve("nano"), state);
        using var adamW = new Optimizer(model.Store, Config(1), state);

        Assert.That(start, Is.Zero);
        Assert.That((muon.Slot("first").Elements, muon.Slot("second").Elements), Is.EqualTo((model.Store.TrainedElements, model.Store.TrainedElements - end)));
        Assert.That((adamW.Slot("first").Elements, adamW.Slot("second").Elements), Is.EqualTo((model.Store.TrainedElements, model.Store.TrainedElements)));
        Assert.That(adamW.Bytes, Is.EqualTo(2 * 4 * model.Store.TrainedElements));
    }

    private static TrainConfig Config(int accumulate, int batch = 3) => new TrainConfig
    {
        Batch = batch, Accumulate = accumulate, Optimizer = new AdamWConfig(), Steps = 100, Warmup = 0, Clip = 0,
    }.Resolve("nano");

    // The loss of the first step of a new model and its gradients.
    private static (double Loss, double[] Gradients) Step(Backend backend, int[] counts, int rows = 3, int microBatch = 0)
    {
        using var model = TinyModels.Random(backend, s_model);
        using var trainer = new Trainer(model, Config(counts.Length, rows), new SparseTask(rows, counts, microBatch));
        double loss = trainer.Step(0).Loss;
        var gradients = new float[model.Store.TrainedElements];
        backend.Download(model.Store.AllGradients, gradients.AsSpan());
        return (loss, [.. gradients.Select(g => (double)g)]);
    }

    /// <summary>The same stream of tokens whatever its rows, of which only the first so many of each micro-batch have a target.</summary>
    private sealed class SparseTask(int rows, int[] counts, int skipped) : LearningTask
    {
        public override string Name => "sparse";

        public override IReadOnlyList<BatchField> Fields(int time) => BatchField.OfTokens(time);

        public override long Places(TaskSplit split) => long.MaxValue;

        public override int Fill(in RowKey key, in BatchRow row)
        {
            Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
            int start = (((skipped + key.MicroBatch) * rows) + (int)key.Row) * tokens.Length, count = 0;
            for (int t = 0; t < tokens.Length; t++)
            {
                tokens[t] = (start + t) * 31 % 50;
                // With a target: the first places of every row, evenly over the rows.
                if (t * rows + (int)key.Row < counts[key.MicroBatch])
                {
                    targets[t] = (start + t) * 17 % 50;
                    count++;
                }
            }

            return count;
        }
    }
}
