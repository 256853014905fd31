using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Generation;

public class DecodeCostTests
{
    private static readonly ModelConfig s_model = new() { Layers = 2, Width = 16, Heads = 4, KvHeads = 2, Context = 32, Vocab = 100, Hidden = 24 };

    // Per layer q, o [16, 16], k, v [8, 16], three matrices of 24 · 16, two gains; the last gain; a head.
    private const int Weights = 2 * (2 * 256 + 2 * 128 + 3 * 384 + 2 * 16) + 16 + 1600;

    // Keys and values of two layers, 2 heads of 4 each.
    private const int CachePerKey = 2 * 2 * 8;

    // A row of the embedding and the token's number.
    private const int Row = 16 + 1;

    // Of the table of rotary positions a row for queries and one for keys, in each layer.
    private const int Angles = 2 * 2 * 4;

    [Test]
    public void WeightsARowOfTheEmbeddingAndTheCache()
        => Assert.That(DecodeCost.BytesPerToken(s_model, keys: 10, batch: 1), Is.EqualTo(4 * (Weights + Angles + Row + (10 * CachePerKey))));

    [Test]
    public void AHeadThatIsTheEmbeddingIsReadOnce()
        => Assert.That(DecodeCost.BytesPerToken(s_model with { Tied = true }, 10, 1), Is.EqualTo(4 * (Weights + Angles + Row + (10 * CachePerKey))));

    [Test]
    public void ABatchSharesTheWeightsButNotTheCaches()
        => Assert.That(DecodeCost.BytesPerToken(s_model, 10, 8), Is.EqualTo(4 * (((Weights + Angles) / 8.0) + Row + (10 * CachePerKey))));

    [Test]
    public void AWindowBoundsTheCache()
        => Assert.That(DecodeCost.BytesPerToken(s_model with { Mixer = new SlidingWindowConfig { Window = 5, Sinks = 1 } }, 10, 1), Is.EqualTo(4 * (Weights + Angles + Row + (6 * CachePerKey))));

    [Test]
    public void OnlyChosenExpertsAreRead()
    {
        var moe = new MoeConfig { Experts = 4, Active = 1, Shared = 1, Hidden = 24 };
        const int expert = 3 * 24 * 16, router = 4 * 16;
        ModelConfig model = s_model with { FeedForward = moe };
        double others = Weights + Angles - (2 * expert);
        Assert.That(DecodeCost.BytesPerToken(model, 10, 1), Is.EqualTo(4 * (others + (2 * (router + (2 * expert))) + Row + (10 * CachePerKey))).Within(1e-6));

        // Two tokens are sent to two experts at most, eight to four of four.
        Assert.That(DecodeCost.BytesPerToken(model, 10, 2), Is.EqualTo(4 * (((others + (2 * (router + (3 * expert)))) / 2) + Row + (10 * CachePerKey))).Within(1e-6));
        Assert.That(DecodeCost.BytesPerToken(model, 10, 8), Is.EqualTo(4 * (((others + (2 * (router + (5 * expert)))) / 8) + Row + (10 * CachePerKey))).Within(1e-6));
    }
}
