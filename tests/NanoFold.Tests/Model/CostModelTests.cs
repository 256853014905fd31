using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Model;

public class CostModelTests
{
    private static ModelConfig Nano => Presets.Of("nano").Model with { Vocab = 256 };

    [Test]
    public void NanoAddsUpByHand()
    {
        CostModel cost = CostModel.Of(Nano);

        Assert.That(cost.Embedding, Is.EqualTo(256 * 128));
        Assert.That(cost.Head, Is.EqualTo(256 * 128));
        Assert.That(cost.Mixer, Is.EqualTo(4 * 4 * 128 * 128));
        Assert.That(cost.FeedForward, Is.EqualTo(4 * 3 * 128 * 344));
        Assert.That(cost.Norms, Is.EqualTo(9 * 128));
        Assert.That(cost.Parameters, Is.EqualTo(857_216));
        Assert.That(cost.FlopsPerToken, Is.EqualTo((6 * (32_768 + 262_144 + 528_384)) + (4 * 12 * 128 * 64)));
        Assert.That(cost.ExecutedFlopsPerToken, Is.EqualTo((6 * (32_768 + 262_144 + 528_384)) + (4 * 12 * 128 * 32.5)));
        Assert.That(cost.CacheBytesPerSequence, Is.EqualTo(4 * 2 * 128 * 64 * 4));
    }

    [TestCase("small", 256, 6L * ((4 * 384 * 384) + (3 * 384 * 1024) + (2 * 384)) + 384 + (2 * 256 * 384))]
    [TestCase("gpt2", 50257, 12L * ((4 * 768 * 768) + (3 * 768 * 2048) + (2 * 768)) + 768 + (50257L * 768))]
    public void TheOtherPresetsToo(string preset, int vocab, long parameters)
        => Assert.That(CostModel.Of(Presets.Of(preset).Model with { Vocab = vocab }).Parameters, Is.EqualTo(parameters));

    [Test]
    public void TyingSavesTheHeadButNotItsFlops()
    {
        CostModel tied = CostModel.Of(Nano with { Tied = true });

        Assert.That((tied.Head, tied.Parameters), Is.EqualTo((0L, 857_216L - 32_768L)));
        Assert.That(tied.FlopsPerToken, Is.EqualTo(CostModel.Of(Nano).FlopsPerToken));
    }

    [Test]
    public void BiasesNormsAndPositionsCount()
    {
        CostModel cost = CostModel.Of(Nano with { Bias = true, Norm = NormKind.Layer, Position = PositionKind.Learned, QkNorm = true, KvHeads = 2 });

        Assert.That(cost.Embedding, Is.EqualTo((256 + 64) * 128));
        Assert.That(cost.Mixer, Is.EqualTo(4 * ((2 * 128 * 128) + (2 * 128 * 64) + 128 + 64 + 64 + 128 + (2 * 32))));
        Assert.That(cost.FeedForward, Is.EqualTo(4 * ((3 * 128 * 344) + 344 + 344 + 128)));
        Assert.That(cost.Norms, Is.EqualTo(9 * 2 * 128));
        Assert.That(cost.CacheBytesPerSequence, Is.EqualTo(4 * 2 * 64 * 64 * 4));
    }

    [Test]
    public void AWindowSeesItsKeysAndTheSinks()
    {
        var window = new SlidingWindowConfig { Window = 8, Sinks = 2 };
        CostModel cost = CostModel.Of(Nano with { Mixer = window });
        double seen = Enumerable.Range(0, 64).Average(t => Enumerable.Range(0, t + 1).Count(j => j > t - 8 || j < 2));

        Assert.That(cost.FlopsPerToken, Is.EqualTo((6 * 823_296) + (4 * 12 * 128 * 8)));
        Assert.That(cost.ExecutedFlopsPerToken, Is.EqualTo((6 * 823_296) + (4 * 12 * 128 * seen)).Within(1e-6));
        Assert.That(cost.CacheBytesPerSequence, Is.EqualTo(4 * 2 * 128 * 10 * 4));
    }

    [Test]
    public void TopKStillScoresEveryKey()
    {
        CostModel cost = CostModel.Of(Nano with { Mixer = new TopKConfig() });
        double kept = Enumerable.Range(0, 64).Average(t => Math.Min(t + 1, 8));

        Assert.That(cost.FlopsPerToken, Is.EqualTo((6 * 823_296) + (4 * 128 * ((2 * 64) + (10 * 8)))));
        Assert.That(cost.ExecutedFlopsPerToken, Is.EqualTo((6 * 823_296) + (4 * 128 * ((2 * 32.5) + (10 * kept)))).Within(1e-6));
        Assert.That(cost.CacheBytesPerSequence, Is.EqualTo(CostModel.Of(Nano).CacheBytesPerSequence));
    }

    [TestCase(GatePosition.AttentionOutput, GateGranularity.Elementwise, 128)]
    [TestCase(GatePosition.Queries, GateGranularity.Headwise, 4)]
    [TestCase(GatePosition.Values, GateGranularity.Elementwise, 64)]
    [TestCase(GatePosition.Keys, GateGranularity.Headwise, 2)]
    [TestCase(GatePosition.Output, GateGranularity.Elementwise, 128)]
    public void AGateIsAMatrix(GatePosition gate, GateGranularity granularity, int gates)
    {
        ModelConfig plain = (Nano with { KvHeads = 2 }).Resolve();
        var mixer = new GatedAttentionConfig { Gate = gate, Granularity = granularity };

        Assert.That(mixer.Gates(plain), Is.EqualTo(gates));
        Assert.That(mixer.Parameters(plain) - plain.Mixer.Parameters(plain), Is.EqualTo(128 * gates));
        Assert.That(mixer.FlopsPerToken(plain) - plain.Mixer.FlopsPerToken(plain), Is.EqualTo(6 * 128 * gates));
        Assert.That(mixer.ExecutedFlopsPerToken(plain) - plain.Mixer.ExecutedFlopsPerToken(plain), Is.EqualTo(6 * 128 * gates));
    }

    [Test]
    public void ExpertsAllCountButOnlyActiveOnesCompute()
    {
        ModelConfig model = Nano.Resolve();
        var moe = new MoeConfig { Experts = 8, Active = 2, Shared = 1, Hidden = 100 };

        Assert.That(moe.Parameters(model), Is.EqualTo((128 * 8) + (9 * 3 * 128 * 100)));
        Assert.That(moe.FlopsPerToken(model), Is.EqualTo(6 * ((128 * 8) + (3 * 3 * 128 * 100))));
        // Of experts only the shared ones have biases.
        Assert.That((moe with { Activation = Activation.Relu }).Parameters(model with { Bias = true }), Is.EqualTo((128 * 8) + (9 * 2 * 128 * 100) + 100 + 128));
    }
}
