using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers;

public class CacheTests : EngineTests
{
    [Test]
    public void AWindowsCacheDoesNotGrowWithTheContext()
    {
        long Bytes(int context, int chunk)
        {
            using var model = new Transformer(ModelVariants.Base with { Context = context, Mixer = new SlidingWindowConfig { Window = 8, Sinks = 2 } }, Backend());
            using DecodeCache cache = model.NewCache(batch: 1, chunk);
            return cache.Bytes;
        }

        Assert.That(Bytes(512, 1), Is.EqualTo(Bytes(64, 1)));
        // Window and sinks, 16 wide, keys and values, 2 layers, float32.
        Assert.That(Bytes(512, 1), Is.EqualTo(10 * 16 * 2 * 2 * 4));
        Assert.That(Bytes(512, 7), Is.EqualTo(16 * 16 * 2 * 2 * 4));
        Assert.That(Bytes(12, 7), Is.EqualTo(12 * 16 * 2 * 2 * 4));
    }

    [Test]
    public void ARowThatBeginsFindsZerosWhereItShould()
    {
        Backend backend = Backend();
        StateSlot[] slots =
        [
            new("recurrent", Layout.Of(2, 3), DType.Float32, StateStart.Zero),
            new("counters", Layout.Of(2, 1, 2), DType.Int32, StateStart.Zero),
            new("keys", Layout.Of(2, 2), DType.Float32, StateStart.Kept),
        ];
        using var cache = new DecodeCache(backend, [[], slots], batch: 2, chunk: 1);
        Assert.That(cache.Bytes, Is.EqualTo(4 * (6 + 4 + 4)));
        var tape = new Tape(backend);
        View[] views = [.. slots.Select(slot => tape.Values[cache.Use(tape, 1, slot.Name).Id].External)];
        foreach (View view in views)
        {
            backend.Fill(view, 7);
        }

        cache.Begin(1);
        Assert.That(views.Select(view => Host.Read(backend, view)), Is.EqualTo(new double[][] { [7, 7, 7, 0, 0, 0], [7, 7, 0, 0], [7, 7, 7, 7] }));
    }

    [Test]
    public void ARowIsCopiedAsFarAsItHoldsSomething()
    {
        Backend backend = Backend();
        StateSlot[] slots =
        [
            new("recurrent", Layout.Of(2, 3), DType.Float32, StateStart.Zero),
            new("keys", Layout.Of(2, 3, 2), DType.Float32, StateStart.Kept) { TokensPerEntry = 1 },
            new("means", Layout.Of(2, 2, 1), DType.Float32, StateStart.Kept) { TokensPerEntry = 2 },
        ];
        using var cache = new DecodeCache(backend, [slots], batch: 2, chunk: 1);
        var tape = new Tape(backend);
        View[] views = [.. slots.Select(slot => tape.Values[cache.Use(tape, 0, slot.Name).Id].External)];
        foreach (View view in views)
        {
            backend.Fill(view.With(view.Layout.Slice(0, 1, 1, out long offset), offset), 5);
        }

        cache.Copy(1, 0, tokens: 0);
        Assert.That(views.Select(view => Host.Read(backend, view)), Is.EqualTo(new double[][] { [5, 5, 5, 5, 5, 5], [0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5], [0, 0, 5, 5] }));
        cache.Copy(1, 0, tokens: 2);
        Assert.That(views.Select(view => Host.Read(backend, view)), Is.EqualTo(new double[][] { [5, 5, 5, 5, 5, 5], [5, 5, 5, 5, 0, 0, 5, 5, 5, 5, 5, 5], [5, 0, 5, 5] }));
        cache.Copy(1, 0, tokens: 100);
        Assert.That(views.Select(view => Host.Read(backend, view)), Is.All.All.EqualTo(5));
    }

    // Blocks of 96 keys, parts of 256, several tokens and heads to a block of queries; a cache of one head of latents.
    [TestCaseSource(nameof(Softmax))]
    public void ALongStreamCrossesBlocksAndParts(MixerConfig mixer)
    {
        ModelConfig config = ModelVariants.Base with { Layers = 1, Context = 300, KvHeads = 2, Mixer = mixer };
        using var model = new TinyModel(config, Backend());
        double[] whole = model.Logits(model.Tokens);
        foreach (int chunk in new[] { 1, 110 })
        {
            using var decoding = new Decoding(model, chunk);
            Numbers.AssertClose(decoding.Run((b, call) => 1 + ((b + call) * 37 % chunk)), whole, 1e-5, $"up to {chunk} at a time");
        }
    }

    private static IEnumerable<TestCaseData> Softmax => new MixerConfig[]
    {
        new AttentionConfig { SinkLogits = true }, new SlidingWindowConfig { Window = 120, Sinks = 3, SinkLogits = true }, new ForgettingConfig(), new DifferentialConfig(), new LatentAttentionConfig(),
    }.Select(m => new TestCaseData(m).SetArgDisplayNames(m.Kind));

    [Test]
    public void ALatentIsAllThatIsKeptOfAToken()
    {
        var mixer = new LatentAttentionConfig { Latent = 6, RopeDim = 2 };
        using var model = new Transformer(ModelVariants.Base with { Mixer = mixer }, Backend());
        using DecodeCache cache = model.NewCache(batch: 3, chunk: 4);
        Assert.That(cache.Bytes, Is.EqualTo(3 * 16 * (6 + 2) * 2 * sizeof(float)));
    }

    [Test]
    public void ALongStreamTurnsTheRingManyTimes()
    {
        ModelConfig config = ModelVariants.Base with { Context = 200, Mixer = new SlidingWindowConfig { Window = 6, Sinks = 3 } };
        using var model = new TinyModel(config, Backend());
        using var decoding = new Decoding(model, chunk: 4);
        Numbers.AssertClose(decoding.Run((b, call) => 1 + (b + call) % 4), model.Logits(model.Tokens), 1e-5, "logits");
    }
}
