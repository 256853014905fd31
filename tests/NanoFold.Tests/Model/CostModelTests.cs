using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;

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
        Assert.That(CostModel.FlopsPerToken(Nano), Is.EqualTo((6 * (32_768 + 262_144 + 528_384)) + (4 * 12 * 128 * 64)));
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
        Assert.That(CostModel.FlopsPerToken(Nano with { Tied = true }), Is.EqualTo(CostModel.FlopsPerToken(Nano)));
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
    public void VectorsCostNoFlopsByTheConvention()
        => Assert.That(
            CostModel.FlopsPerToken(Nano with { Bias = true, Norm = NormKind.Layer, Position = PositionKind.Learned, QkNorm = true, Dropout = 0.1 }),
            Is.EqualTo(CostModel.FlopsPerToken(Nano)));

    [Test]
    public void AWindowSeesItsKeysAndTheSinks()
    {
        ModelConfig model = Nano with { Mixer = new SlidingWindowConfig { Window = 8, Sinks = 2 } };

        Assert.That(CostModel.FlopsPerToken(model), Is.EqualTo((6 * 823_296) + (4 * 12 * 128 * 10)));
        Assert.That(CostModel.FlopsPerToken(Nano with { Mixer = new SlidingWindowConfig { Window = 60, Sinks = 8 } }), Is.EqualTo(CostModel.FlopsPerToken(Nano)), "no more than the context");
        Assert.That(CostModel.Of(model).CacheBytesPerSequence, Is.EqualTo(4 * 2 * 128 * 10 * 4));
    }

    [TestCase(8, 2)]
    [TestCase(16, 16)]
    [TestCase(1, 40)]
    public void SinksCountInWhatIsNominalAsInWhatIsExecuted(int window, int sinks)
    {
        ModelConfig With(int s) => Nano with { Mixer = new SlidingWindowConfig { Window = window, Sinks = s } };
        long Pairs(int s) => Enumerable.Range(0, 64).Sum(t => Enumerable.Range(0, t + 1).LongCount(j => j > t - window || j < s));

        Assert.That(AttentionFlops(With(sinks)) / AttentionFlops(With(0)), Is.EqualTo((double)Pairs(sinks) / Pairs(0)).Within(1e-9));
        Assert.That(CostModel.FlopsPerToken(With(sinks)) - CostModel.FlopsPerToken(With(0)), Is.EqualTo(4 * 12 * 128 * sinks));
        // Three times two products of 2 · D for each pair of a head: no more is executed than the convention has.
        long weights = 6 * 823_296;
        Assert.That((CostModel.FlopsPerToken(With(sinks)) - weights) * 64, Is.GreaterThanOrEqualTo(3L * 4 * 128 * 4 * Pairs(sinks)));
    }

    [Test]
    public void TopKStillScoresEveryKey()
    {
        ModelConfig model = Nano with { Mixer = new TopKConfig() };

        Assert.That(CostModel.FlopsPerToken(model), Is.EqualTo((6 * 823_296) + (4 * 128 * ((2 * 64) + (10 * 8)))));
        Assert.That(CostModel.Of(model).CacheBytesPerSequence, Is.EqualTo(CostModel.Of(Nano).CacheBytesPerSequence));
    }

    [TestCase(GatePosition.AttentionOutput, GateGranularity.Elementwise, 128)]
    [TestCase(GatePosition.Queries, GateGranularity.Headwise, 4)]
    [TestCase(GatePosition.Values, GateGranularity.Elementwise, 64)]
    [TestCase(GatePosition.Keys, GateGranularity.Headwise, 2)]
    [TestCase(GatePosition.Output, GateGranularity.Elementwise, 128)]
    public void AGateIsAMatrix(GatePosition gate, GateGranularity granularity, int gates)
    {
        ModelConfig plain = Nano with { KvHeads = 2 };
        var mixer = new GatedAttentionConfig { Gate = gate, Granularity = granularity };
        ModelConfig gated = plain with { Mixer = mixer };

        Assert.That(mixer.Gates(plain.Resolve()), Is.EqualTo(gates));
        Assert.That(CostModel.Of(gated).Mixer - CostModel.Of(plain).Mixer, Is.EqualTo(4 * 128 * gates));
        Assert.That(CostModel.FlopsPerToken(gated) - CostModel.FlopsPerToken(plain), Is.EqualTo(4 * 6 * 128 * gates));
    }

    [Test]
    public void ExpertsAllCountButOnlyActiveOnesCompute()
    {
        var moe = new MoeConfig { Experts = 8, Active = 2, Shared = 1, Hidden = 100 };

        Assert.That(CostModel.Of(Nano with { FeedForward = moe }).FeedForward, Is.EqualTo(4 * ((128 * 8) + (9 * 3 * 128 * 100))));
        Assert.That(
            CostModel.FlopsPerToken(Nano with { FeedForward = moe }) - CostModel.FlopsPerToken(Nano), Is.EqualTo(4 * 6 * ((128 * 8) + (3 * 3 * 128 * 100) - (3 * 128 * 344))));
        // Of experts only the shared ones have biases.
        CostModel biased = CostModel.Of(Nano with { Bias = true, FeedForward = moe with { Activation = new ReluConfig() } });
        Assert.That(biased.FeedForward, Is.EqualTo(4 * ((128 * 8) + (9 * 2 * 128 * 100) + 100 + 128)));
    }

    // Of all attention kernels of a forward pass.
    private static double AttentionFlops(ModelConfig model)
    {
        using var dry = new DryRun();
        using var transformer = new Transformer(model, dry.Backend);
        var tape = new Tape(dry.Backend);
        transformer.RecordLogits(tape, tape.External("tokens", new View(dry.Backend.Allocate(64 * sizeof(int)), 0, Layout.Of(1, 64), DType.Int32)));
        return dry.Of(new Plan(tape)).Where(call => call.Step.Call?.Node.Op is AttentionOp).Sum(call => call.Cost.Flops);
    }

    /// <summary>Whether there is memory for a model is asked of its count.</summary>
    [Test]
    public void TheLargestModelThatCanBeWrittenDownIsCounted()
    {
        CostModel cost = CostModel.Of(new ModelConfig
        {
            Layers = 4096, Width = 1 << 16, Heads = 4096, HeadDim = 4096, Context = 1 << 22, Vocab = 1 << 22,
            FeedForward = new MoeConfig { Experts = 1024, Active = 1024, Shared = 1024, Hidden = 1 << 18 },
        });

        Assert.That(cost.Mixer, Is.EqualTo(4096L * 4 * (1L << 40)));
        Assert.That(cost.FeedForward, Is.EqualTo(4096L * ((1L << 26) + (2 * 3 * (1L << 44)))));
        Assert.That(cost.CacheBytesPerSequence, Is.EqualTo(4096L * 2 * 4 * (1L << 46)));
    }
}
