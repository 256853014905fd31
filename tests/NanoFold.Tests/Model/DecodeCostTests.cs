using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;

namespace NanoFold.Tests.Model;

public class DecodeCostTests
{
    private static readonly ModelConfig s_model = new() { Layers = 2, Width = 16, Heads = 4, KvHeads = 2, Context = 32, Vocab = 100, Hidden = 24 };

    // Per layer q, o [16, 16], k, v [8, 16], three matrices of 24 · 16, two gains; the last gain; a head.
    private const int Weights = 2 * (2 * 256 + 2 * 128 + 3 * 384 + 2 * 16) + 16 + 1600;

    // Keys and values of two layers, 2 heads of 4 each.
    private const int CachePerKey = 2 * 2 * 8;

    [Test]
    public void WeightsARowOfTheEmbeddingAndTheCache()
        => Assert.That(DecodeCost.BytesPerToken(s_model, keys: 10, batch: 1), Is.EqualTo(4 * (Weights + 16 + (10 * CachePerKey))));

    [Test]
    public void AHeadThatIsTheEmbeddingIsReadOnce()
        => Assert.That(DecodeCost.BytesPerToken(s_model with { Tied = true }, 10, 1), Is.EqualTo(4 * (Weights + 16 + (10 * CachePerKey))));

    [Test]
    public void ABatchSharesTheWeightsButNotTheCaches()
        => Assert.That(DecodeCost.BytesPerToken(s_model, 10, 8), Is.EqualTo(4 * ((Weights / 8.0) + 16 + (10 * CachePerKey))));

    [Test]
    public void AWindowBoundsTheCache()
        => Assert.That(DecodeCost.BytesPerToken(s_model with { Mixer = new SlidingWindowConfig { Window = 5, Sinks = 1 } }, 10, 1), Is.EqualTo(4 * (Weights + 16 + (6 * CachePerKey))));

    [Test]
    public void OnlyChosenExpertsAreRead()
    {
        var moe = new MoeConfig { Experts = 4, Active = 1, Shared = 1, Hidden = 24 };
        const int expert = 3 * 24 * 16, router = 4 * 16;
        ModelConfig model = s_model with { FeedForward = moe };
        double others = Weights - (2 * expert);
        Assert.That(DecodeCost.BytesPerToken(model, 10, 1), Is.EqualTo(4 * (others + (2 * (router + (2 * expert))) + 16 + (10 * CachePerKey))).Within(1e-6));

        // Two tokens choose 4 · (1 − (3/4)²) = 1.75 different experts on average.
        Assert.That(DecodeCost.BytesPerToken(model, 10, 2), Is.EqualTo(4 * (((others + (2 * (router + (2.75 * expert)))) / 2) + 16 + (10 * CachePerKey))).Within(1e-6));
    }
}
