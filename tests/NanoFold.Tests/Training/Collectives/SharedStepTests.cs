using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training.Collectives;

/// <summary>Steps whose micro-batches several processes share, here threads with a backend each.</summary>
public class SharedStepTests
{
    private const int Steps = 3;

    private static readonly ModelConfig s_model = ModelVariants.Base with
    {
        Dropout = 0.1, FeedForward = MoeConfig.Tiny with { Routing = RouterKind.Sigmoid, BiasRate = 0.05, BalanceLoss = 0.01, ZLoss = 0.001 },
    };

    [TestCase("muon")]
    [TestCase("adamw")]
    public void AnyNumberOfProcessesGivesTheSameBits(string optimizer)
    {
        TrainConfig config = Config(optimizer, accumulate: 4);
        double[] alone = Train(config, Alone.Instance, new CpuBackend(1));
        Assert.That(alone, Has.All.Matches<double>(double.IsFinite));
        foreach (int world in new[] { 2, 4 })
        {
            double[][] together = LoopbackCollective.Together(world, (backend, collective) => Train(config, collective, backend));
            foreach (double[] found in together)
            {
                Assert.That(found, Is.EqualTo(alone), $"{world} processes");
            }
        }
    }

    [Test]
    public void TheSumOfMicroBatchesIsKeptByProcess0AndOnlyWhereThereIsOne()
    {
        long one = SumBytes(Config("adamw", accumulate: 1), Alone.Instance);
        long two = SumBytes(Config("adamw", accumulate: 2), Alone.Instance);
        Assert.That((one, two), Is.EqualTo((0L, 4 * Elements())));
        Assert.That(LoopbackCollective.Together(2, (_, collective) => SumBytes(Config("adamw", accumulate: 4), collective)), Is.EqualTo(new[] { two, 0 }));
        Assert.That(LoopbackCollective.Together(2, (_, collective) => SumBytes(Config("adamw", accumulate: 2), collective)), Is.EqualTo(new[] { 0L, 0 }));
    }

    [Test]
    public void MicroBatchesThatCannotBeSharedEvenlyAreRefused()
    {
        string[] messages = LoopbackCollective.Together(2, (_, collective) => Assert.Throws<UserException>(() => SumBytes(Config("adamw", accumulate: 3), collective))!.Message);
        Assert.That(messages, Is.All.EqualTo("train.accumulate: 2 processes cannot share 3 micro-batches of a step evenly; it takes a multiple of 2"));
    }

    [Test]
    public void EveryProcessFindsByItselfWhatIsNotFinite()
    {
        // A single token of the third micro-batch has an embedding that is not a number.
        string?[] found = LoopbackCollective.Together(2, (backend, collective) =>
        {
            using var model = new Transformer(s_model with { Dropout = 0 }, backend);
            double[] values = Host.Read(model.Store, model.Store["model.embed_tokens.weight"]);
            Host.Write(model.Store, model.Store["model.embed_tokens.weight"], [.. values.Select((v, i) => i == 3 * s_model.Width ? double.NaN : v)]);
            using var trainer = new Trainer(model, Config("adamw", accumulate: 4), new OneOdd(), collective: collective);
            Assert.That(trainer.Step(0).IsFinite, Is.False);
            return trainer.FindNotFinite(0);
        });
        Assert.That(found, Is.All.EqualTo("hook_embed"));
    }

    [Test]
    public void DecisionsAreThoseOfProcess0AndAnyMayAsk()
    {
        var found = LoopbackCollective.Together(3, (_, collective) => (
            collective.Agree(collective.Rank == 0), collective.Agree(collective.Rank + 7L), collective.Agree(0.1 + collective.Rank),
            collective.Agree($"näht {collective.Rank}"), collective.Any(collective.Rank == 2), collective.Any(false)));
        Assert.That(found, Is.All.EqualTo((true, 7L, 0.1, "näht 0", true, false)));
    }

    [Test]
    public void AProcessThatLeavesOrIsGoneOrSilentLeavesNoOtherWaiting()
    {
        string[] left = LoopbackCollective.Together(3, Message(c => c.Leave("no text")));
        Assert.That(left, Is.EqualTo(new[] { "process 2 of 3 has ended: no text", "process 0 of 3 has ended: process 2 of 3 has ended: no text", "" }));
        string[] gone = LoopbackCollective.Together(2, Message(c => ((IDisposable)c).Dispose()));
        Assert.That(gone[0], Is.EqualTo("process 1 of 2 is gone"));
        using var isNoticed = new ManualResetEventSlim();
        string[] silent = LoopbackCollective.Together(
            2,
            (_, collective) =>
            {
                if (collective.Rank == 1)
                {
                    isNoticed.Wait();
                    return "";
                }

                try
                {
                    return Fault(collective);
                }
                finally
                {
                    isNoticed.Set();
                }
            },
            TimeSpan.FromSeconds(0.2));
        Assert.That(silent[0], Is.EqualTo("process 1 of 2 does not answer"));
    }

    // The last process does something else than the others, which add.
    private static Func<Backend, ICollective, string> Message(Action<ICollective> last) => (_, collective) =>
    {
        if (collective.Rank == collective.World - 1)
        {
            last(collective);
            return "";
        }

        string message = Fault(collective);
        collective.Leave(message);
        return message;
    };

    private static string Fault(ICollective collective) => Assert.Throws<UserException>(() => collective.Any(false))!.Message;

    private static TrainConfig Config(string optimizer, int accumulate) => new TrainConfig
    {
        Optimizer = Optimizers.Of(optimizer), Batch = 2, Accumulate = accumulate, Steps = 100, Warmup = 0,
    }.Resolve("nano");

    // Losses, terms, loads, parameters and moments of some steps.
    private static double[] Train(TrainConfig config, ICollective collective, Backend backend)
    {
        using var model = new Transformer(s_model, backend, 1);
        using var trainer = new Trainer(model, config, new RandomTokens(s_model.Vocab, 1), collective: collective);
        var found = new List<double>();
        for (int step = 0; step < Steps; step++)
        {
            StepResult result = trainer.Step(step);
            found.AddRange([result.Loss, result.GradientNorm, result.LearningRate, result.Tokens, result.Terms["balanceLoss"]!.Value, result.Terms["zLoss"]!.Value]);
            found.AddRange(trainer.ReadExpertLoads().SelectMany(load => load.Shares.Select(share => (double)share).Append(load.Pairs)));
        }

        found.AddRange(model.Store.Parameters.SelectMany(parameter => Host.Read(model.Store, parameter)));
        found.AddRange(trainer.Optimizer.Slots.SelectMany(slot => Host.Read(backend, slot.View(slot.All))));
        return [.. found];
    }

    private static long SumBytes(TrainConfig config, ICollective collective)
    {
        using var backend = new CpuBackend(1);
        using var model = new Transformer(s_model, backend);
        using var trainer = new Trainer(model, config, new RandomTokens(s_model.Vocab, 1), collective: collective);
        return trainer.SumBytes;
    }

    private static long Elements()
    {
        using var backend = new CpuBackend(1);
        using var model = new Transformer(s_model, backend);
        return model.Store.TrainedElements;
    }

    /// <summary>Token 3 stands in the third micro-batch alone.</summary>
    private sealed class OneOdd : LearningTask
    {
        public override string Name => "one odd token";

        public override IReadOnlyList<BatchField> Fields(int time) => BatchField.OfTokens(time);

        public override long Places(TaskSplit split) => long.MaxValue;

        public override int Fill(in RowKey key, in BatchRow row)
        {
            Span<int> targets = row.Integers(BatchField.Targets);
            row.Integers(BatchField.Tokens).Fill(key.MicroBatch == 2 ? 3 : 4);
            targets.Fill(5);
            return targets.Length;
        }
    }
}
