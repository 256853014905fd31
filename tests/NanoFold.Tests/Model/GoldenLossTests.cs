using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

/// <summary>Training of a tiny model on a made-up stream of tokens: a change of any formula, initial value or random stream changes these losses.</summary>
public class GoldenLossTests : EngineTests
{
    private const int Batch = 4;

    private static ModelConfig Config => new()
    {
        Layers = 2,
        Width = 32,
        Heads = 4,
        KvHeads = 2,
        Context = 16,
        Vocab = 64,
        Hidden = 48,
        Mixer = new GatedAttentionConfig(),
        Dropout = 0.1,
        Pattern = [new BlockConfig(), new BlockConfig { Mixer = SlidingWindowConfig.Tiny, FeedForward = MoeConfig.Tiny }],
    };

    [TestCaseSource(nameof(Paths))]
    public void TenStepsGiveTheLossesThatTheyGave(Isa isa)
    {
        double[] expected = [4.161194, 3.988262, 3.970461, 3.705632, 3.549399, 3.508098, 3.276294, 3.263380, 3.125355, 2.813108];
        double[] losses = Train(Backend(isa, threads: 2), Config, steps: 10, rate: 1e-2, Window);
        Assert.That(losses, Is.EqualTo(expected).Within(0.01).Percent, string.Join(", ", losses.Select(l => l.ToString("r"))));
    }

    [TestCaseSource(nameof(Paths))]
    public void TenStepsWithoutSharedExpertsGiveTheLossesThatTheyGave(Isa isa)
    {
        double[] expected = [4.158770, 3.987241, 3.954847, 3.671107, 3.536350, 3.477916, 3.262572, 3.231252, 3.104442, 2.811267];
        ModelConfig config = Config with
        {
            Pattern = [Config.Pattern![0], Config.Pattern[1] with { FeedForward = MoeConfig.Tiny with { Shared = 0 } }],
        };
        double[] losses = Train(Backend(isa, threads: 2), config, steps: 10, rate: 1e-2, Window);
        Assert.That(losses, Is.EqualTo(expected).Within(0.01).Percent, string.Join(", ", losses.Select(l => l.ToString("r"))));
    }

    [Test]
    public void OneBatchIsLearntByHeart()
    {
        ModelConfig config = Config with { Dropout = 0, Pattern = null };
        double[] losses = Train(Backend(threads: 2), config, steps: 120, rate: 1e-2, _ => Window(0));
        Assert.That(losses[0], Is.EqualTo(Math.Log(64)).Within(0.3));
        Assert.That(losses[^1], Is.LessThan(0.02));
    }

    // Each token follows from the one before it, but for a little noise.
    private static int[] Window(int step)
    {
        int[] noise = Numbers.Integers($"stream {step}", Batch * 17, 0, 64);
        var stream = new int[noise.Length];
        for (int i = 0; i < stream.Length; i++)
        {
            stream[i] = i == 0 || noise[i] < 4 ? noise[i] : (stream[i - 1] + 3) % 64;
        }

        return stream;
    }

    private static double[] Train(Backend backend, ModelConfig config, int steps, double rate, Func<int, int[]> window)
    {
        using StepState state = backend.NewState();
        state.Set(StepSlot.TargetCount, (long)Batch * config.Context);
        state.Set(StepSlot.RandomKey, 0x5eedL);
        var owned = new List<IDisposable>();
        using var model = new Transformer(config, backend, seed: 5);
        ParameterStore store = model.Store;
        View tokens = Host.New(backend, [Batch, config.Context], new int[Batch * config.Context], owned);
        View targets = Host.New(backend, [Batch, config.Context], new int[Batch * config.Context], owned);
        var tape = new Tape(backend, training: true) { State = state };
        Tensor loss = model.RecordLoss(tape, tape.External("tokens", tokens), tape.External("targets", targets)).Loss;
        var plan = new Plan(tape, recompute: true);
        DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        owned.Add(arena);
        plan.Bind(arena);
        int count = (int)store.TrainedElements;
        View first = Host.New(backend, DType.Float32, [count], new double[count], owned), second = Host.New(backend, DType.Float32, [count], new double[count], owned);
        state.Set(StepSlot.LearningRate, rate);
        var losses = new double[steps];
        for (int step = 0; step < steps; step++)
        {
            int[] stream = window(step);
            // Rows of context + 1 tokens: inputs, and the same one further.
            Host.Write(backend, tokens, [.. stream.Chunk(config.Context + 1).SelectMany(row => row[..^1]).Select(t => (double)t)]);
            Host.Write(backend, targets, [.. stream.Chunk(config.Context + 1).SelectMany(row => row[1..]).Select(t => (double)t)]);
            state.Set(StepSlot.Step, step + 1L);
            state.Set(StepSlot.Loss, 0.0);
            state.Set(StepSlot.GradientSquares, 0.0);
            backend.Fill(store.AllGradients, 0);
            plan.Run();
            losses[step] = Host.Read(backend, plan[loss])[0];
            backend.Run(new AddSquaresCall(state, store.AllGradients));
            backend.Run(new DecideCall(state, Clip: 1, DynamicLossScale: false));
            backend.Run(new AdamWCall(state, store.Values(store.Trained), store.AllGradients, first, second, 0.9, 0.95, 1e-8, Decay: 0.1));
        }

        owned.ForEach(o => o.Dispose());
        return losses;
    }
}
