using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Data;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.FeedForward;

/// <summary>The bias that balances experts: what moves it, by how much, and what does not.</summary>
[NonParallelizable]
public class ExpertBalanceTests
{
    private const double Rate = 0.25;

    private static readonly string[] s_sigmoid =
    [
        "model.feedForward=moe", "model.feedForward.experts=4", "model.feedForward.routing=sigmoid", "model.feedForward.biasRate=0.05", "model.feedForward.routeScale=2",
        "model.feedForward.capacity=1", "train.accumulate=2",
    ];

    [Test]
    public void AStepMovesEachBiasTowardsTheMeanLoadOfTheWholeBatch()
    {
        using var rig = new Rig(accumulate: 3);
        for (int step = 0; step < 4; step++)
        {
            double[][] before = rig.Biases();
            rig.Trainer.Step(step);
            IReadOnlyList<ExpertLoad> loads = rig.Trainer.ReadExpertLoads();
            double[][] after = rig.Biases();
            Assert.That(loads, Has.Count.EqualTo(2));
            for (int router = 0; router < 2; router++)
            {
                // Rounded shares of 3 · 2 · 16 · 2 pairs are exact enough to tell from a quarter of them.
                double[] expected = [.. loads[router].Shares.Select((share, e) => before[router][e] + Rate * Math.Sign(Math.Round(0.25 - share, 6)))];
                Assert.That(after[router], Is.EqualTo(expected), $"router {router}, step {step}");
                Assert.That(loads[router].Shares.Sum(), Is.EqualTo(1).Within(1e-6));
            }
        }

        Assert.That(rig.Biases().SelectMany(bias => bias).Distinct().Count(), Is.GreaterThan(1));
    }

    [Test]
    public void AStepThatIsSkippedLeavesItAlone()
    {
        using var rig = new Rig(accumulate: 1);
        rig.Trainer.Step(0);
        double[][] before = rig.Biases();
        Parameter head = rig.Model.Store["lm_head.weight"];
        double[] values = Host.Read(rig.Model.Store, head);
        Host.Write(rig.Model.Store, head, [.. values.Select((v, i) => i == 0 ? double.NaN : v)]);
        Assert.That(rig.Trainer.Step(1).IsFinite, Is.False);
        Assert.That(rig.Biases(), Is.EqualTo(before));
        Host.Write(rig.Model.Store, head, values);
        Assert.That(rig.Trainer.Step(2).IsFinite, Is.True);
        Assert.That(rig.Biases(), Is.Not.EqualTo(before));
    }

    [Test]
    public void ItBalancesWhatARouterPrefers()
    {
        using var rig = new Rig(accumulate: 1, rate: 0.02, learningRate: 0);
        double First() => rig.Trainer.ReadExpertLoads().Average(load => load.Entropy);
        rig.Trainer.Step(0);
        double first = First();
        for (int step = 1; step < 60; step++)
        {
            rig.Trainer.Step(step);
        }

        Assert.That(First(), Is.GreaterThan(Math.Max(first, 0.95)));
    }

    [Test]
    public void AResumedRunHasTheSameBitsAndItIsInTheModelsFile()
    {
        using var rig = new TrainRig();
        rig.Train("straight", [.. s_sigmoid, "train.keepCheckpoints=9"]);
        rig.Train("stopped", [.. s_sigmoid, "train.keepCheckpoints=9", "train.stopAfter=7"]);
        rig.Resume("stopped");
        rig.AssertSame("stopped", "straight", 12);
        using var file = SafeTensorsFile.Open(Path.Combine(rig.Checkpoint("straight", 12), ModelFile.Name));
        var bias = new double[4];
        file.Read("model.layers.1.mlp.gate.e_score_correction_bias", bias);
        Assert.That(bias, Is.All.Matches<double>(b => Math.Abs(b / 0.05 - Math.Round(b / 0.05)) < 1e-5).And.Some.Not.Zero);
        using var reader = SafeTensorsFile.Open(Path.Combine(rig.Checkpoint("straight", 12), "optimizer.safetensors"));
        long trained = 0;
        using (var model = new Transformer(rig.Config(s_sigmoid).WithVocab(256).Model, new CpuBackend(1)))
        {
            trained = model.Store.TrainedElements;
        }

        Assert.That(reader["first"].Count, Is.EqualTo(trained), "no moments of the bias");
    }

    [Test]
    public void PairsBeyondTheCapacityAreDroppedInTrainingAndCounted()
    {
        ModelConfig config = ModelVariants.Base with { FeedForward = MoeConfig.Tiny with { Active = 1, Capacity = 0.5, Shared = 0, BalanceLoss = 0, ZLoss = 0 } };
        using var rig = new Rig(accumulate: 2, config: config);
        rig.Trainer.Step(0);
        foreach (ExpertLoad load in rig.Trainer.ReadExpertLoads())
        {
            // An expert takes ⌈0.5 · 1 · 16 / 4⌉ = 2 of a sequence of 16, of which there are two in each of two micro-batches.
            Assert.That(load.Dropped, Is.InRange(4 * (16 - 4 * 2), 4 * (16 - 2)));
            Assert.That(load.Pairs, Is.EqualTo(4 * 16));
        }

        // Half of the rows are all that can be taken, and all that there is memory for.
        using var dropless = new Rig(accumulate: 2, config: config with { FeedForward = ((MoeConfig)config.FeedForward) with { Capacity = 0 } });
        Assert.That(rig.Trainer.ArenaBytes, Is.LessThan(0.9 * dropless.Trainer.ArenaBytes));
    }

    /// <summary>Up, gate and down of each pair that was taken: forward, and the gradients of rows and matrices.</summary>
    [TestCase(0)]
    [TestCase(0.75)]
    public void TheWorkThatIsCountedIsThatOfThePairsTaken(double capacity)
    {
        MoeConfig moe = MoeConfig.Tiny with { Capacity = capacity };
        using var rig = new Rig(accumulate: 1, config: ModelVariants.Base with { FeedForward = moe });
        rig.Log.IsOn = true;
        rig.Trainer.Step(0);
        rig.Log.IsOn = false;
        double counted = 0;
        foreach (ref readonly ProfileEvent noted in rig.Log.Events)
        {
            counted += noted.Source is "grouped-matmul" ? noted.Cost.Flops : 0;
        }

        // Two layers with two sequences of 16 tokens, each sent to two experts.
        long taken = rig.Trainer.ReadExpertLoads().Sum(load => load.Pairs - load.Dropped);
        Assert.That(taken, capacity > 0 ? Is.LessThan(2 * 2 * 16 * 2) : Is.EqualTo(2 * 2 * 16 * 2));
        Assert.That(counted, Is.EqualTo(3.0 * 3 * 2 * taken * ModelVariants.Base.Width * moe.Hidden));
    }

    /// <summary>A small model with a trainer.</summary>
    private sealed class Rig : IDisposable
    {
        private readonly CpuBackend _cpu = new(1);
        private readonly ProfiledBackend _backend;

        public Rig(int accumulate, double rate = Rate, double learningRate = 1e-3, ModelConfig? config = null)
        {
            _backend = new ProfiledBackend(_cpu, Log);
            Model = new Transformer(config ?? ModelVariants.Base with { FeedForward = MoeConfig.Tiny with { Routing = RouterKind.Sigmoid, BiasRate = rate } }, _backend);
            var train = new TrainConfig { Optimizer = new AdamWConfig(), LearningRate = learningRate, Batch = 2, Accumulate = accumulate, Steps = 100 };
            Trainer = new Trainer(Model, train, new RandomTokens(Model.Config.Vocab, seed: 1));
        }

        public Transformer Model { get; }

        public Trainer Trainer { get; }

        public EventLog Log { get; } = new(1 << 12);

        public double[][] Biases() => [.. Model.Store.Routers.Select(router => Host.Read(Model.Store, router.Bias!))];

        public void Dispose()
        {
            Trainer.Dispose();
            Model.Dispose();
            _backend.Dispose();
            _cpu.Dispose();
        }
    }
}
