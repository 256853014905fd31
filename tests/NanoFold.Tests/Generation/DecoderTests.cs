using System.Reflection;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Generation;

public class DecoderTests
{
    private CpuBackend _backend = null!;

    public static IEnumerable<TestCaseData> Models()
    {
        foreach (Variant variant in Variant.Of<MixerConfig>())
        {
            var mixer = (MixerConfig)variant.Type.GetProperty("Tiny", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;
            yield return Case(variant.Kind, TinyModels.Shape with { Mixer = mixer });
        }

        yield return Case("learned positions", TinyModels.Shape with { Position = PositionKind.Learned, Norm = NormKind.Layer, Bias = true, Tied = true });
        yield return Case("no positions", TinyModels.Shape with { Position = PositionKind.None });
        yield return Case("interleaved, QK-norm", TinyModels.Shape with { RopeInterleaved = true, QkNorm = true });
        yield return Case("moe", TinyModels.Shape with { FeedForward = MoeConfig.Tiny, Hidden = 0 });
        yield return Case("two kinds of layers", TinyModels.Shape with
        {
            Pattern = [new BlockConfig { Mixer = SlidingWindowConfig.Tiny }, new BlockConfig { Mixer = TopKConfig.Tiny }],
        });
        yield return Case("a window without positions", TinyModels.Shape with { Position = PositionKind.None, Mixer = SlidingWindowConfig.Tiny });
        yield return Case("long", TinyModels.Shape with { Context = 150, Mixer = new SlidingWindowConfig { Window = 9, Sinks = 1 } });

        static TestCaseData Case(string name, ModelConfig config) => new TestCaseData(config).SetArgDisplayNames(name);
    }

    [SetUp]
    public void SetUp() => _backend = new CpuBackend(2);

    [TearDown]
    public void TearDown() => _backend.Dispose();

    [TestCaseSource(nameof(Models))]
    public void LogitsEqualThoseOfFullPasses(ModelConfig config)
    {
        using Transformer model = TinyModels.Random(_backend, config);
        // What slides on is as if the context had been longer.
        using Transformer longer = TinyModels.Random(_backend, config with { Context = model.SlidesOn ? config.Context + 40 : config.Context });
        using var full = new FullPass(longer);
        using var decoder = new Decoder(model, 3);
        var random = new Random(5);
        int context = model.Config.Context;

        // Rows of other lengths, that grow by one token or begin again at any time.
        var rows = new List<int>[3];
        var logits = new float[config.Vocab];
        for (int turn = 0; turn < 40; turn++)
        {
            for (int row = 0; row < rows.Length; row++)
            {
                if (rows[row] is null || random.Next(12) == 0)
                {
                    rows[row] = [.. Enumerable.Range(0, random.Next(1, context + 1)).Select(_ => random.Next(256))];
                    decoder.Begin(row, rows[row].ToArray());
                }
                else if (decoder.HasLogits(row))
                {
                    int token = random.Next(256);
                    rows[row].Add(token);
                    rows[row] = rows[row].Count > longer.Config.Context ? [.. rows[row].TakeLast(context / 2)] : rows[row];
                    decoder.Append(row, token);
                }
            }

            Assert.That(decoder.Run(), Is.GreaterThan(0));
            for (int row = 0; row < rows.Length; row++)
            {
                if (decoder.HasLogits(row))
                {
                    decoder.ReadLogits(row, logits);
                    Assert.That(logits, Is.EqualTo(full.Logits(rows[row])).Within(2e-4), $"turn {turn}, row {row} of {rows[row].Count} tokens");
                }
            }
        }
    }

    [Test]
    public void EveryRowAdvancesToItsEnd()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape with { Context = 100 });
        using var decoder = new Decoder(model, 4);
        int[] lengths = [100, 1, 37, 99];
        for (int row = 0; row < lengths.Length; row++)
        {
            Assert.That(decoder.Begin(row, new int[lengths[row]]), Is.Zero);
        }

        var ready = new int[4];
        int read = 0;
        for (int tokens = decoder.Run(); tokens > 0; tokens = decoder.Run())
        {
            read += tokens;
            for (int row = 0; row < 4; row++)
            {
                ready[row] += decoder.HasLogits(row) ? 1 : 0;
            }
        }

        Assert.Multiple(() =>
        {
            Assert.That(read, Is.EqualTo(lengths.Sum()));
            Assert.That(ready, Is.EqualTo(new[] { 1, 1, 1, 1 }), "each row's logits come once");
        });
    }

    [Test]
    public void AModelThatSlidesOnReadsNothingAgain()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape with { Position = PositionKind.None, Mixer = SlidingWindowConfig.Tiny });
        using var decoder = new Decoder(model, 1);
        decoder.Begin(0, new int[16]);
        decoder.Run();
        for (int i = 0; i < 50; i++)
        {
            decoder.Append(0, i);
            Assert.That((decoder.Run(), decoder.HasLogits(0)), Is.EqualTo((1, true)), $"token {i}");
        }
    }

    [TestCase(PositionKind.Rope, false)]
    [TestCase(PositionKind.Learned, false)]
    [TestCase(PositionKind.None, true)]
    public void AWindowSlidesOnWithoutPositions(PositionKind position, bool slidesOn)
    {
        using var window = new Transformer(TinyModels.Shape with { Position = position, Mixer = SlidingWindowConfig.Tiny }, _backend);
        using var all = new Transformer(TinyModels.Shape with { Position = position }, _backend);
        Assert.That((window.SlidesOn, all.SlidesOn), Is.EqualTo((slidesOn, false)));
    }

    [Test]
    public void TooManyTokensLoseTheirBeginning()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var full = new FullPass(model);
        using var decoder = new Decoder(model, 1);
        int[] tokens = [.. Enumerable.Range(0, 21)];
        int dropped = decoder.Begin(0, tokens);
        while (!decoder.HasLogits(0))
        {
            decoder.Run();
        }

        var logits = new float[256];
        decoder.ReadLogits(0, logits);
        Assert.Multiple(() =>
        {
            Assert.That(dropped, Is.EqualTo(5));
            Assert.That(logits, Is.EqualTo(full.Logits(tokens[5..])).Within(2e-4));
        });
    }

    [Test]
    public void ChunksStayWithinTheContext()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape with { Context = 5 });
        using var decoder = new Decoder(model, 1);
        Assert.That(decoder.ChunkSizes, Is.EqualTo(new[] { 1, 5 }));
    }

    [Test]
    public void OnlyLastTokensReachTheHead()
    {
        using var backend = new Kernels.Null.NullBackend();
        using var model = new Transformer(TinyModels.Shape, backend);
        using DecodeCache cache = model.NewCache(batch: 3, chunk: 8);
        Collector head = new("hook_logits"), norm = new("ln_final.hook_normalized");
        var tape = new Tape(backend, taps: new TapSet([head, norm]));
        Tensor Input(params int[] shape) => tape.External("input", new View(backend.Allocate(Layout.Of(shape).Count * sizeof(int)), 0, Layout.Of(shape), DType.Int32));
        Tensor logits = model.RecordDecode(tape, Input(3, 8), Input(3), Input(3, 8), Input(3), cache, rows: Input(3));

        var plan = new Plan(tape);
        plan.Bind(backend.Allocate(plan.ArenaBytes));
        plan.Run();
        Assert.That(logits.Layout.ToShape(), Is.EqualTo(new[] { 3, 1, 256 }));
        Assert.That((norm.Read.Single().Shape, head.Read.Single().Shape), Is.EqualTo((new[] { 3, 8, 16 }, new[] { 3, 1, 256 })));
    }

    [Test]
    public void ContextOfOneWorks()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape with { Context = 1 });
        using var full = new FullPass(model);
        using var decoder = new Decoder(model, 1);
        decoder.Begin(0, [3]);
        var logits = new float[256];
        foreach (int token in new[] { 3, 9, 4 })
        {
            if (token != 3)
            {
                decoder.Append(0, token);
            }

            decoder.Run();
            decoder.ReadLogits(0, logits);
            Assert.That(logits, Is.EqualTo(full.Logits([token])).Within(2e-4));
        }
    }

    [TestCase(1)]
    [TestCase(2)]
    public void SteadyRunsAllocateNothing(int threads)
    {
        using var backend = new CpuBackend(threads);
        using Transformer model = TinyModels.Random(backend, TinyModels.Shape);
        using var decoder = new Decoder(model, 2);
        var options = new GenerationConfig { TopK = 40, TopP = 0.9, MinP = 0.01, RepetitionPenalty = 1.1 };
        var sampler = new Sampler(options, 256, seed: 1);
        var logits = new float[256];
        int[] seen = [1, 2, 3];
        decoder.Begin(0, seen);
        decoder.Begin(1, seen);

        // Twice through the context, so that every plan there will be is there.
        Step(40);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Step(40);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Step(int runs)
        {
            for (int i = 0; i < runs; i++)
            {
                decoder.Run();
                for (int row = 0; row < 2; row++)
                {
                    if (decoder.HasLogits(row))
                    {
                        decoder.ReadLogits(row, logits);
                        decoder.Append(row, sampler.Next(logits, seen, row));
                    }
                }
            }
        }
    }

    [Test]
    public void WrongUseIsAnError()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var doubles = new Transformer(TinyModels.Shape, _backend, 1, DType.Float64);
        using var decoder = new Decoder(model, 1);
        Assert.Multiple(() =>
        {
            Assert.That(() => new Decoder(doubles, 1), Throws.ArgumentException);
            Assert.That(() => new Decoder(model, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => decoder.Begin(0, [256]), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => decoder.Append(0, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => decoder.ReadLogits(0, new float[256]), Throws.InvalidOperationException);
            Assert.That(decoder.Run(), Is.Zero, "nothing to read");
        });
    }
}
