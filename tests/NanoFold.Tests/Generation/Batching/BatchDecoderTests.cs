using System.Runtime.InteropServices;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Generation.Batching;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Generation.Batching;

public class BatchDecoderTests
{
    private CpuBackend _backend = null!;

    [SetUp]
    public void SetUp() => _backend = new CpuBackend(2);

    [TearDown]
    public void TearDown() => _backend.Dispose();

    [TestCaseSource(typeof(DecoderTests), nameof(DecoderTests.Models))]
    public void EveryRowHasTheBitsThatItHasAlone(ModelConfig config) => Compare(_backend, config, rows: 6, turns: 16);

    // With what is remembered of rows that move down.
    [TestCaseSource(typeof(DecoderTests), nameof(DecoderTests.Models))]
    public void SoItIsWithKeysAndValuesOf16Bits(ModelConfig config)
    {
        _backend.CacheType = DType.BFloat16;
        Compare(_backend, config, rows: 5, turns: 14);
    }

    // Products of long sums and of many rows, caches that are cut into parts, and what is added to layers.
    [TestCaseSource(nameof(Wide))]
    public void SoItIsWithWideLayersAndLongCaches(ModelConfig config) => Compare(_backend, config, rows: 9, turns: 8);

    [TestCase(Isa.Vector256)]
    [TestCase(Isa.Vector128)]
    [TestCase(Isa.Scalar)]
    public void SoItIsOnEveryInstructionSet(Isa isa)
    {
        using var backend = new CpuBackend(1, isa);
        Compare(backend, TinyModels.Shape with { FeedForward = MoeConfig.Tiny, Hidden = 0 }, rows: 5, turns: 12);
    }

    [TestCase(WeightStorage.Float16, false)]
    [TestCase(WeightStorage.Q8_0, false)]
    [TestCase(WeightStorage.Q8_0, true)]
    public void SoItIsWithWeightsAsTheyAreInFiles(WeightStorage storage, bool roundsActivations)
    {
        _backend.RoundsActivations = roundsActivations;
        using var rig = new TrainRig();
        rig.Train("run", "model.width=160", "model.heads=5", "model.hidden=192", "train.stopAfter=1");
        using TrainedModel trained = TrainedModel.Load(rig["run"], _backend, storage: storage);
        Compare(trained.Model, rows: 7, turns: 8);
    }

    // Rows that ended make room: those above them move down, with what is remembered of them.
    [TestCaseSource(typeof(DecoderTests), nameof(DecoderTests.Models))]
    public void AStepIsAsWideAsThereAreTexts(ModelConfig config)
    {
        using Transformer model = TinyModels.Random(_backend, config);
        using var decoder = new BatchDecoder(model, 5);
        int[] prompt = [7, 3, 9];
        for (int row = 0; row < 5; row++)
        {
            decoder.Begin(row, prompt);
        }

        List<int> widths = [Read(2, out _)];
        decoder.End(0);
        decoder.End(3);
        decoder.Append(4, 11);
        decoder.Append(2, 12);
        widths.Add(Read(4, out float[] fourth));
        decoder.ReadLogits(2, new float[config.Vocab]);
        decoder.End(1);
        decoder.End(2);
        decoder.Append(4, 13);
        widths.Add(Read(4, out float[] lone));
        decoder.Begin(3, [5]);
        decoder.Append(4, 14);
        widths.Add(Read(4, out float[] beside));
        Assert.That(widths, Is.EqualTo(new[] { 5, 3, 1, 2 }));

        using var alone = new Decoder(model, 1);
        alone.Begin(0, prompt);
        while (alone.Run() > 0)
        {
        }

        Compare(fourth, 11);
        Compare(lone, 13);
        Compare(beside, 14);

        // Until all that was begun is read.
        int Read(int row, out float[] logits)
        {
            while (decoder.ReadChunk() > 0 || (decoder.Step() > 0 && !decoder.HasLogits(row)))
            {
            }

            logits = new float[config.Vocab];
            decoder.ReadLogits(row, logits);
            return decoder.Width;
        }

        void Compare(float[] logits, int token)
        {
            alone.Append(0, token);
            var expected = new float[config.Vocab];
            while (alone.Run() > 0 && !alone.HasLogits(0))
            {
            }

            alone.ReadLogits(0, expected);
            Assert.That(MemoryMarshal.Cast<float, int>(logits.AsSpan()).SequenceEqual(MemoryMarshal.Cast<float, int>(expected)));
        }
    }

    [Test]
    public void WhatIsNotThereHasNoLogits()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var decoder = new BatchDecoder(model, 2);
        Assert.That((decoder.ReadChunk(), decoder.Step()), Is.EqualTo((0, 0)));
        decoder.Begin(1, [5]);
        Assert.That((decoder.ReadChunk(), decoder.Step()), Is.EqualTo((0, 1)));
        Assert.That((decoder.HasLogits(0), decoder.HasLogits(1)), Is.EqualTo((false, true)));
        decoder.End(1);
        Assert.That(decoder.HasLogits(1), Is.False);
        Assert.That(() => decoder.ReadLogits(1, new float[256]), Throws.InvalidOperationException);
        Assert.That(() => decoder.Append(1, 256), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(_backend.Sequences, Is.EqualTo(1));
    }

    private static IEnumerable<TestCaseData> Wide()
    {
        ModelConfig wide = TinyModels.Shape with { Layers = 1, Width = 160, Heads = 5, KvHeads = 5, Hidden = 200, Context = 600, Vocab = 300 };
        yield return Case("attention", wide);
        yield return Case("grouped heads", wide with { KvHeads = 1, Bias = true, QkNorm = true });
        yield return Case("experts", wide with { FeedForward = MoeConfig.Tiny, Hidden = 0 });
        yield return Case("adapters", wide with { Adapters = [LoraConfig.Tiny] });
        yield return Case("a large cache", wide with { Context = 1800 });
        yield return Case("differential", wide with { Heads = 4, KvHeads = 4, Mixer = DifferentialConfig.Tiny });

        static TestCaseData Case(string name, ModelConfig config) => new TestCaseData(config).SetArgDisplayNames(name);
    }

    private static void Compare(Backend backend, ModelConfig config, int rows, int turns)
    {
        using Transformer model = TinyModels.Random(backend, config);
        Compare(model, rows, turns);
    }

    private static void Compare(Transformer model, int rows, int turns)
    {
        ModelConfig config = model.Config;
        var texts = new List<Text>();
        using (var decoder = new BatchDecoder(model, rows))
        {
            var current = new Text?[rows];
            var random = new Random(3);
            int vocab = config.Vocab;
            for (int turn = 0; turn < turns; turn++)
            {
                for (int row = 0; row < rows; row++)
                {
                    if (current[row] is null && random.Next(3) > 0)
                    {
                        texts.Add(current[row] = new Text([.. Enumerable.Range(0, random.Next(1, Math.Min(config.Context, 90))).Select(_ => random.Next(vocab))]));
                        decoder.Begin(row, current[row]!.Prompt);
                    }
                    else if (current[row] is not null && random.Next(12) == 0)
                    {
                        decoder.End(row);
                        current[row] = null;
                    }
                }

                if (decoder.ReadChunk() > 0)
                {
                    Take();
                }

                if (decoder.Step() > 0)
                {
                    Take();
                }
            }

            void Take()
            {
                for (int row = 0; row < rows; row++)
                {
                    if (decoder.HasLogits(row))
                    {
                        var logits = new float[vocab];
                        decoder.ReadLogits(row, logits);
                        int next = random.Next(vocab);
                        current[row]!.Steps.Add((logits, next));
                        decoder.Append(row, next);
                    }
                }
            }
        }

        Assert.That(texts.Sum(text => text.Steps.Count), Is.GreaterThan(turns));
        using var alone = new Decoder(model, 1);
        foreach (Text text in texts)
        {
            alone.Begin(0, text.Prompt);
            for (int i = 0; i < text.Steps.Count; i++)
            {
                while (alone.Run() > 0 && !alone.HasLogits(0))
                {
                }

                var logits = new float[config.Vocab];
                alone.ReadLogits(0, logits);
                Assert.That(
                    MemoryMarshal.Cast<float, int>(text.Steps[i].Logits.AsSpan()).SequenceEqual(MemoryMarshal.Cast<float, int>(logits)),
                    $"text {texts.IndexOf(text)} of {text.Prompt.Length} tokens, step {i}");
                alone.Append(0, text.Steps[i].Next);
            }
        }
    }

    private sealed record Text(int[] Prompt)
    {
        public List<(float[] Logits, int Next)> Steps { get; } = [];
    }
}
